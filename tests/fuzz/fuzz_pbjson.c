/*
 * Any bytes as JSON for a mirror or a peer: they are refused in words, or what
 * they became prints, reads back the same, and packs.
 */
#include <assert.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/wire/pbjson.h"
#include "lib/wire/pbutil.h"
#include "protos/route.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_round_trip(const ProtobufCMessage *msg)
{
	ProtobufCMessage *again = NULL, *copy = pb_copy(msg);
	struct err err = ERR_INIT;
	struct buf out;

	buf_init(&out, 64 * MIB);
	pbjson_print(msg, PBJSON_PRESENT_ONLY, &out);
	if (!pbjson_parse(msg->descriptor, buf_str(&out), out.n, &again, &err))
		abort();
	if (!pb_diff(msg, again, NULL) || !pb_diff(msg, copy, NULL))
		abort();
	pb_redact(again);
	pb_merge(copy, again);
	if (!pb_diff(msg, copy, NULL))
		abort();
	protobuf_c_message_free_unpacked(again, NULL);
	protobuf_c_message_free_unpacked(copy, NULL);
	buf_done(&out);
}

static void
fuzz_one(const ProtobufCMessageDescriptor *desc, const char *json, size_t n)
{
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;

	if (!pbjson_parse(desc, json, n, &msg, &err)) {
		if (err.code == ERR_NONE || err.msg[0] == '\0')
			abort();
		return;
	}
	check_round_trip(msg);
	protobuf_c_message_free_unpacked(msg, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_one(&peerdb_route__create_cdcflow_request__descriptor, (const char *)data, size);
	fuzz_one(&peerdb_route__create_peer_request__descriptor, (const char *)data, size);
	fuzz_one(&peerdb_flow__qrep_partition__descriptor, (const char *)data, size);
	return 0;
}
