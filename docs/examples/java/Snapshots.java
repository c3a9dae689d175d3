// Prints the committed stock snapshots as JSON, one a line, until none has come for a while (seconds, as an argument).
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.formats.avro.registry.confluent.ConfluentRegistryAvroDeserializationSchema;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

class Snapshots {
  public static void main(String[] arguments) throws Exception {
    String registry = System.getenv("FSN_REGISTRY"), subject = "stock-snapshots-fsn.stock.StockSnapshot"; // a worker's web port
    Schema schema; // what this program was written for; the records' own schemas are looked up by their ids
    try (var text = URI.create(registry + "/subjects/" + subject + "/versions/latest/schema").toURL().openStream()) {
      schema = new Schema.Parser().parse(text);
    }
    var avro = ConfluentRegistryAvroDeserializationSchema.forGeneric(schema, registry);
    Map<String, Object> settings = Map.of("bootstrap.servers", System.getenv("FSN_BROKERS"), "group.id", "fsn-read-model-example",
        "auto.offset.reset", "earliest", "isolation.level", "read_committed");
    try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of("stock-snapshots"));
      while (true) {
        var records = consumer.poll(Duration.ofSeconds(Long.parseLong(arguments[0])));
        if (records.isEmpty()) {
          return;
        }
        for (var record : records) {
          System.out.println(avro.deserialize(record.value()));
        }
      }
    }
  }
}
