package fsn.bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** Avro in Confluent wire format by Avro's own reader and writer, for records of one schema; any other is refused. */
final class WireFormat<T> implements Serde<T> {
    private static final int HEADER_BYTES = 1 + Integer.BYTES;

    private final int id;
    private final Schema schema;
    private final Class<T> type;

    WireFormat(int id, Schema schema, Class<T> type) {
        this.id = id;
        this.schema = schema;
        this.type = type;
    }

    @Override
    public Deserializer<T> deserializer() {
        return new Deserializer<>() {
            private final SpecificDatumReader<T> reader = new SpecificDatumReader<>(type);
            private BinaryDecoder decoder;

            @Override
            public T deserialize(String topic, byte[] bytes) {
                if (bytes.length < HEADER_BYTES || bytes[0] != 0 || ByteBuffer.wrap(bytes).getInt(1) != id) {
                    throw new SerializationException(topic + ": a record that is no " + schema.getName());
                }
                int length = bytes.length - HEADER_BYTES;
                decoder = DecoderFactory.get().binaryDecoder(bytes, HEADER_BYTES, length, decoder);
                try {
                    return reader.read(null, decoder);
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
            }
        };
    }

    @Override
    public Serializer<T> serializer() {
        return new Serializer<>() {
            private final SpecificDatumWriter<T> writer = new SpecificDatumWriter<>(type);
            private final ByteArrayOutputStream out = new ByteArrayOutputStream();
            private BinaryEncoder encoder;

            @Override
            public byte[] serialize(String topic, T value) {
                out.reset();
                out.writeBytes(ByteBuffer.allocate(HEADER_BYTES).put((byte) 0).putInt(id).array());
                encoder = EncoderFactory.get().directBinaryEncoder(out, encoder);
                try {
                    writer.write(value, encoder);
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
                return out.toByteArray();
            }
        };
    }
}
