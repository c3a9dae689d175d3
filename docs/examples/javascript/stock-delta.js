// Writes one signed stock delta with CloudEvents headers, by @platformatic/kafka and avsc.
import { createHmac, randomUUID } from 'node:crypto'
import { compatibilityPartitioner, Producer, stringSerializer } from '@platformatic/kafka'
import avro from 'avsc'

const { FSN_BROKERS, FSN_REGISTRY, FSN_KEY_ID, FSN_SECRET } = process.env
const topic = 'stock-deltas', key = 'acme|drill_18v', eventId = randomUUID()
const delta = { feed_id: 'acme|depot|berlin|wms', location_id: 'acme|berlin', variant_id: key, sku: 'DRILL-18V',
  idempotency_key: eventId, quantity: 2, reason: 'receipt', occurred_at: Date.now() }

// A worker's web port knows the schema and its id, which stand before the Avro body: 0x00, id, body.
const answer = await fetch(`${FSN_REGISTRY}/subjects/stock-deltas-fsn.stock.StockDelta/versions/latest`)
const { id, schema } = await answer.json()
const value = Buffer.concat([Buffer.alloc(5), avro.Type.forSchema(JSON.parse(schema)).toBuffer(delta)])
value.writeUInt32BE(id, 1)

const signature = createHmac('sha256', Buffer.from(FSN_SECRET, 'hex')).update(`${topic}|${key}|`).update(value).digest()
const headers = { 'fsn-key-id': FSN_KEY_ID, 'fsn-signature': signature,
  ce_specversion: '1.0', ce_id: eventId, ce_source: '/acme/depot/wms', ce_type: 'fsn.stock.StockDelta',
  'content-type': 'application/avro' }
const bytes = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]))
// The default partitioner agrees with Java's only where the partitions are a power of two.
const producer = new Producer({ clientId: 'depot', bootstrapBrokers: FSN_BROKERS.split(','),
  partitioner: compatibilityPartitioner, serializers: { key: stringSerializer, headerKey: stringSerializer } })
await producer.send({ messages: [{ topic, key, value, headers: bytes }] })
await producer.close()
