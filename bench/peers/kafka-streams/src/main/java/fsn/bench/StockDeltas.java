package fsn.bench;

import fsn.stock.StockDelta;
import fsn.stock.StockSnapshot;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams over the same deltas: a cached RocksDB store with its changelog, a snapshot per delta, exactly_once_v2.
 *
 * <p>Deltas arrive keyed by variant, so one processor keeps an entry per variant and location without a repartition.
 * Whatever is not set here is Kafka Streams' default, commit.interval.ms 100 and a record cache of 10 MB among it.
 * Arguments: brokers, folder, schema id of a delta, schema id of a snapshot. It runs until SIGTERM.
 */
public final class StockDeltas {
    static final String ITEMS = "items";

    private StockDeltas() {}

    public static void main(String[] arguments) {
        var topology = topology(Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]));
        var streams = new KafkaStreams(topology, settings(arguments[0], arguments[1]));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1); // the bench must not wait for records that nobody takes any more
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    static Topology topology(int deltaId, int snapshotId) {
        StoreBuilder<KeyValueStore<String, Item>> items = Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(ITEMS), Serdes.String(), Item.SERDE)
                .withCachingEnabled();
        var deltas = new WireFormat<>(deltaId, StockDelta.getClassSchema(), StockDelta.class);
        var snapshots = new WireFormat<>(snapshotId, StockSnapshot.getClassSchema(), StockSnapshot.class);
        var builder = new StreamsBuilder();
        builder.addStateStore(items)
                .stream("stock-deltas", Consumed.with(Serdes.String(), deltas))
                .process(Stock::new, ITEMS)
                .to("stock-snapshots", Produced.with(Serdes.String(), snapshots));
        return builder.build();
    }

    private static Properties settings(String brokers, String folder) {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "kafka-streams");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        return settings;
    }
}
