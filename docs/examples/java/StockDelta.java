// Writes one signed stock delta with CloudEvents headers, by kafka-clients and Flink's serializer for Confluent registries.
import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.util.HexFormat;
import java.util.Map;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.avro.shaded.org.apache.avro.generic.GenericRecordBuilder;
import org.apache.flink.formats.avro.registry.confluent.ConfluentRegistryAvroSerializationSchema;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

class StockDelta {
  public static void main(String[] arguments) throws Exception {
    String topic = "stock-deltas", key = "acme|drill_18v", eventId = UUID.randomUUID().toString();
    String registry = System.getenv("FSN_REGISTRY"), subject = "stock-deltas-fsn.stock.StockDelta"; // a worker's web port
    Schema schema;
    try (var text = URI.create(registry + "/subjects/" + subject + "/versions/latest/schema").toURL().openStream()) {
      schema = new Schema.Parser().parse(text);
    }
    var delta = new GenericRecordBuilder(schema)
        .set("feed_id", "acme|depot|berlin|wms").set("location_id", "acme|berlin").set("variant_id", key)
        .set("sku", "DRILL-18V").set("idempotency_key", eventId).set("quantity", 4).set("reason", "receipt")
        .set("occurred_at", System.currentTimeMillis()).build();
    byte[] value = ConfluentRegistryAvroSerializationSchema.forGeneric(subject, schema, registry).serialize(delta);

    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(HexFormat.of().parseHex(System.getenv("FSN_SECRET")), "HmacSHA256"));
    mac.update((topic + "|" + key + "|").getBytes(UTF_8));
    var said = Map.of("fsn-key-id", System.getenv("FSN_KEY_ID"), "ce_specversion", "1.0", "ce_id", eventId,
        "ce_source", "/acme/depot/wms", "ce_type", "fsn.stock.StockDelta", "content-type", "application/avro");
    var record = new ProducerRecord<>(topic, key.getBytes(UTF_8), value);
    record.headers().add("fsn-signature", mac.doFinal(value));
    said.forEach((name, text) -> record.headers().add(name, text.getBytes(UTF_8)));
    Map<String, Object> settings = Map.of("bootstrap.servers", System.getenv("FSN_BROKERS"));
    try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      producer.send(record).get();
    }
  }
}
