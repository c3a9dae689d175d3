package fsn.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What one location has of one variant, and its twenty bytes in store and changelog. */
record Item(int onHand, long sequence, long revision) {
    static final Item NONE = new Item(0, 0, 0);
    static final Serde<Item> SERDE = Serdes.serdeFrom((topic, item) -> encode(item), (topic, bytes) -> decode(bytes));

    private static byte[] encode(Item item) {
        if (item == null) {
            return null;
        }
        var bytes = ByteBuffer.allocate(Integer.BYTES + 2 * Long.BYTES);
        return bytes.putInt(item.onHand).putLong(item.sequence).putLong(item.revision).array();
    }

    private static Item decode(byte[] bytes) {
        if (bytes == null) {
            return null;
        }
        var source = ByteBuffer.wrap(bytes);
        return new Item(source.getInt(), source.getLong(), source.getLong());
    }
}
