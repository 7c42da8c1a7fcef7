import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.util.RawValue;
import io.debezium.connector.SnapshotRecord;
import io.debezium.data.Bits;
import io.debezium.data.Envelope;
import io.debezium.data.Json;
import io.debezium.data.Uuid;
import io.debezium.data.VariableScaleDecimal;
import io.debezium.data.Xml;
import io.debezium.data.geometry.Point;
import io.debezium.schema.SchemaFactory;
import io.debezium.schema.SchemaNameAdjuster;
import io.debezium.time.Interval;
import io.debezium.time.MicroTime;
import io.debezium.time.MicroTimestamp;
import io.debezium.time.ZonedTime;
import io.debezium.time.ZonedTimestamp;
import io.debezium.transforms.ExtractNewRecordState;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.ExtractField;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Reads a topic as a sink of Kafka Connect does, with Connect's JsonConverter and Debezium's
 * ExtractNewRecordState, and prints what it gets: a JSON object a line.
 *
 *   java Reader SERVERS TOPIC MODE
 *
 * MODE is how ExtractNewRecordState handles deletes (delete.tombstone.handling.mode). Or it is
 * "schemaless": values have no schemas, and Connect's ExtractField takes "after" out of them,
 * since ExtractNewRecordState leaves such records as they are. Or it is "transactions", for the
 * topic of transaction metadata: a line has the members of a value.
 *
 *   {"columns":{"id":"int32",...}}              whenever a row has other columns than the last
 *   {"op":"u","snapshot":"false","transaction":"571:97500059720","total_order":1,
 *    "key":{"id":"1"},"row":{"id":"1",...}}
 *
 * A tombstone has no op; "row" is null if the record became one, and missing if the transform
 * dropped it. Values are what Postgres takes as input of the type, read by the schemas' names
 * alone. A schema that is not as Debezium makes it is an error.
 */
public class Reader {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Schema> DEBEZIUM = List.of(
            io.debezium.time.Date.schema(), io.debezium.time.Time.schema(), MicroTime.schema(),
            io.debezium.time.Timestamp.schema(), MicroTimestamp.schema(), ZonedTime.schema(),
            ZonedTimestamp.schema(), Interval.schema(), Json.schema(), Uuid.schema(), Xml.schema(),
            Point.builder().build(), VariableScaleDecimal.schema())
            .stream().collect(Collectors.toMap(Schema::name, s -> s));

    private final JsonConverter keys = new JsonConverter();
    private final JsonConverter values = new JsonConverter();
    private final String mode;
    private Object columns;

    private Reader(String mode) {
        Map<String, String> config = Map.of("schemas.enable", "" + !mode.equals("schemaless"));

        this.mode = mode;
        keys.configure(config, true);
        values.configure(config, false);
    }

    public static void main(String[] args) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", args[0],
                "isolation.level", "read_committed");

        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config,
                new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            new Reader(args[2]).read(consumer, args[1]);
        }
    }

    /** To what is the end of the topic now. */
    private void read(KafkaConsumer<byte[], byte[]> consumer, String topic) throws Exception {
        List<TopicPartition> parts = consumer.partitionsFor(topic).stream()
                .map(p -> new TopicPartition(topic, p.partition())).toList();
        Map<TopicPartition, Long> ends = consumer.endOffsets(parts);

        consumer.assign(parts);
        consumer.seekToBeginning(parts);
        try (Transformation<SinkRecord> transform = transform()) {
            while (parts.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(100)))
                    print(record(r), transform);
        }
    }

    private Transformation<SinkRecord> transform() {
        Transformation<SinkRecord> t = mode.equals("schemaless")
                ? new ExtractField.Value<>() : new ExtractNewRecordState<>();

        t.configure(mode.equals("schemaless") ? Map.of("field", "after")
                : mode.equals("transactions") ? Map.of()
                : Map.of("delete.tombstone.handling.mode", mode));
        return t;
    }

    private SinkRecord record(ConsumerRecord<byte[], byte[]> r) {
        SchemaAndValue key = keys.toConnectData(r.topic(), r.key());
        SchemaAndValue value = values.toConnectData(r.topic(), r.value());

        return new SinkRecord(r.topic(), r.partition(), key.schema(), key.value(), value.schema(),
                value.value(), r.offset());
    }

    private void print(SinkRecord r, Transformation<SinkRecord> transform) throws Exception {
        Map<String, Object> line = new LinkedHashMap<>();
        SinkRecord out;

        if (mode.equals("transactions")) {
            line.putAll(transaction(r));
        } else {
            if (r.value() instanceof Struct envelope)
                describe(r.valueSchema(), envelope, line);
            else if (r.value() instanceof Map<?, ?> envelope)
                line.put("op", envelope.get("op"));
            out = transform.apply(r);
            line.put("key", row(r.keySchema(), r.key()));
            if (out != null)
                line.put("row", row(out.valueSchema(), out.value()));
            if (out != null && out.value() instanceof Struct row)
                printColumns(row.schema());
        }
        System.out.println(JSON.writeValueAsString(line));
    }

    // ---- what Debezium knows of the record

    private static void describe(Schema schema, Struct envelope, Map<String, Object> line) {
        String op = envelope.getString(Envelope.FieldName.OPERATION);
        Struct source = envelope.getStruct(Envelope.FieldName.SOURCE);
        Struct transaction = envelope.getStruct(Envelope.FieldName.TRANSACTION);
        Schema ours = schema.field(Envelope.FieldName.TRANSACTION).schema();

        expect(Envelope.isEnvelopeSchema(schema), "no envelope: " + schema.name());
        expect(Envelope.ALL_FIELD_NAMES.containsAll(names(schema)), "odd members in " + schema);
        expect(Envelope.Operation.forCode(op) != null, "unknown op " + op);
        expect(source.schema().field("snapshot").schema()
                .equals(SchemaFactory.get().snapshotRecordSchema()), "snapshot has another schema");
        expect(ours.equals(SchemaFactory.get().transactionBlockSchema()),
                "transaction has another schema");
        line.put("op", op);
        line.put("snapshot", SnapshotRecord.fromSource(source));
        if (transaction != null) {
            line.put("transaction", transaction.getString("id"));
            line.put("total_order", transaction.getInt64("total_order"));
        }
    }

    private static Map<String, Object> transaction(SinkRecord r) {
        SchemaFactory f = SchemaFactory.get();

        expect(r.keySchema().equals(f.transactionKeySchema(SchemaNameAdjuster.NO_OP)),
                "the key has another schema");
        expect(r.valueSchema().equals(f.transactionValueSchema(SchemaNameAdjuster.NO_OP)),
                "the value has another schema");
        return row(r.valueSchema(), r.value());
    }

    private static List<String> names(Schema schema) {
        return schema.fields().stream().map(Field::name).toList();
    }

    private static void expect(boolean holds, String otherwise) {
        if (!holds)
            throw new IllegalStateException(otherwise);
    }

    // ---- schemas of columns

    private void printColumns(Schema row) throws Exception {
        Map<String, String> now = new LinkedHashMap<>();

        for (Field f : row.fields())
            now.put(f.name(), describe(f.schema()));
        if (!now.equals(columns))
            System.out.println(JSON.writeValueAsString(Map.of("columns", now)));
        columns = now;
    }

    private static String describe(Schema s) {
        String parameters = s.parameters() == null ? "" : " " + s.parameters();

        if (s.type() == Schema.Type.ARRAY)
            return "array of " + describe(s.valueSchema());
        if (s.name() == null)
            return s.type().getName();
        if (s.name().startsWith("io.debezium."))
            expectDebeziums(s);
        return s.type().getName() + " " + s.name() + parameters;
    }

    private static void expectDebeziums(Schema ours) {
        Schema theirs = ours.name().equals(Bits.LOGICAL_NAME)
                ? Bits.schema(Integer.parseInt(ours.parameters().get(Bits.LENGTH_FIELD)))
                : DEBEZIUM.get(ours.name());

        expect(theirs != null && theirs.type() == ours.type()
                && theirs.version().equals(ours.version())
                && String.valueOf(theirs.parameters()).equals(String.valueOf(ours.parameters()))
                && (theirs.type() != Schema.Type.STRUCT || theirs.fields().equals(ours.fields())),
                "another schema: " + ours.name());
    }

    // ---- values

    private static Map<String, Object> row(Schema schema, Object value) {
        Map<String, Object> row = new LinkedHashMap<>();

        if (value == null)
            return null;
        if (value instanceof Map<?, ?> map)
            map.forEach((name, v) -> row.put((String) name, v));
        else
            for (Field f : schema.fields())
                row.put(f.name(), input(f.schema(), ((Struct) value).get(f)));
        return row;
    }

    private static Object input(Schema s, Object v) {
        if (v == null)
            return null;
        if (v instanceof List<?> list) {
            List<Object> all = new ArrayList<>();

            list.forEach(element -> all.add(input(s.valueSchema(), element)));
            return all;
        }
        return s.name() == null ? plain(v) : logical(s, v);
    }

    private static Object plain(Object v) {
        if (v instanceof byte[] bytes)
            return "\\x" + HexFormat.of().formatHex(bytes);
        return v instanceof Struct struct ? row(struct.schema(), struct) : v.toString();
    }

    private static Object logical(Schema s, Object v) {
        switch (s.name()) {
        case "io.debezium.time.Date":
            return LocalDate.ofEpochDay((Integer) v).toString();
        case "io.debezium.time.Time":
            return LocalTime.MIDNIGHT.plus((Integer) v, ChronoUnit.MILLIS).toString();
        case MicroTime.SCHEMA_NAME:
            return LocalTime.MIDNIGHT.plus((Long) v, ChronoUnit.MICROS).toString();
        case "io.debezium.time.Timestamp":
            return LocalDateTime.of(1970, 1, 1, 0, 0).plus((Long) v, ChronoUnit.MILLIS).toString();
        case MicroTimestamp.SCHEMA_NAME:
            return LocalDateTime.of(1970, 1, 1, 0, 0).plus((Long) v, ChronoUnit.MICROS).toString();
        case ZonedTime.SCHEMA_NAME:
            return OffsetTime.parse((String) v, ZonedTime.FORMATTER).toString();
        case ZonedTimestamp.SCHEMA_NAME:
            return OffsetDateTime.parse((String) v, ZonedTimestamp.FORMATTER).toString();
        case "org.apache.kafka.connect.data.Date":
            return utc(v).toLocalDate().toString();
        case "org.apache.kafka.connect.data.Time":
            return utc(v).toLocalTime().toString();
        case "org.apache.kafka.connect.data.Timestamp":
            return utc(v).toString();
        case Decimal.LOGICAL_NAME:
            return ((BigDecimal) v).toPlainString();
        case VariableScaleDecimal.LOGICAL_NAME:
            return VariableScaleDecimal.toLogical((Struct) v).getDecimalValue().get()
                    .toPlainString();
        case Bits.LOGICAL_NAME:
            return bits(s, (byte[]) v);
        case Point.LOGICAL_NAME:
            return point((Struct) v);
        case Json.LOGICAL_NAME:
            return json((String) v);
        default:
            return plain(v);
        }
    }

    private static LocalDateTime utc(Object date) {
        return LocalDateTime.ofInstant(((java.util.Date) date).toInstant(), ZoneOffset.UTC);
    }

    private static String bits(Schema s, byte[] bytes) {
        BitSet set = BitSet.valueOf(bytes);
        List<String> digits = new ArrayList<>();

        for (int i = 0; i < Integer.parseInt(s.parameters().get(Bits.LENGTH_FIELD)); i++)
            digits.add(set.get(i) ? "1" : "0");
        Collections.reverse(digits);
        return String.join("", digits);
    }

    private static String point(Struct v) {
        double[] xy = Point.parseWKBPoint(v.getBytes(Point.WKB_FIELD));

        expect(xy[0] == v.getFloat64(Point.X_FIELD) && xy[1] == v.getFloat64(Point.Y_FIELD),
                "wkb has another point");
        return "(" + xy[0] + "," + xy[1] + ")";
    }

    /** As it is, digit for digit; what is no JSON is a string. */
    private static Object json(String text) {
        try {
            JSON.readTree(text);
            return new RawValue(text);
        } catch (JsonProcessingException e) {
            return text;
        }
    }
}
