package fsn.bench;

import fsn.stock.StockDelta;
import fsn.stock.StockSnapshot;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Moves an item's stock, once, and says what it is afterwards. It checks no signature and knows no reservation. */
final class Stock implements Processor<String, StockDelta, String, StockSnapshot> {
    private ProcessorContext<String, StockSnapshot> context;
    private KeyValueStore<String, Item> items;

    @Override
    public void init(ProcessorContext<String, StockSnapshot> given) {
        context = given;
        items = given.getStateStore(StockDeltas.ITEMS);
    }

    @Override
    public void process(Record<String, StockDelta> record) {
        StockDelta delta = record.value();
        String key = delta.getVariantId() + "|" + delta.getLocationId();
        Item item = items.get(key);
        if (item == null) {
            item = Item.NONE;
        }
        if (delta.getSequence() > item.sequence()) {
            item = new Item(item.onHand() + delta.getQuantity(), delta.getSequence(), item.revision() + 1);
            items.put(key, item);
        }
        // A record of its own: the delta's headers are its sender's signature.
        context.forward(new Record<>(record.key(), snapshot(delta, item), record.timestamp()));
    }

    private static StockSnapshot snapshot(StockDelta delta, Item item) {
        return new StockSnapshot(
                delta.getVariantId(),
                delta.getLocationId(),
                item.revision(),
                item.onHand(),
                0,
                0,
                Math.max(0, item.onHand()),
                false,
                delta.getOccurredAt(),
                0,
                0,
                null);
    }
}
