#include "lib/conn/kerror.h"

#include <librdkafka/rdkafka.h>
#include <string.h>

/* What waiting does not help against. */
static const struct {
	int code;
	const char *hint;
} lasting[] = {
	{ RD_KAFKA_RESP_ERR__AUTHENTICATION, "check username, password and sasl" },
	{ RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, "check username, password and sasl" },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, "check sasl" },
	{ RD_KAFKA_RESP_ERR__SSL, "check root_ca, certificate, private_key and disable_tls" },
	{ RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
	    "allow the user to describe, create and write the topic" },
	{ RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
	    "allow the user IdempotentWrite, or to create topics, on the cluster" },
	{ RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
	    "allow the user to write and describe transactional ids that begin with \"peerd-\"" },
	{ RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
	    "set transaction.timeout.ms in the peer's options to what the brokers allow"
	    " (transaction.max.timeout.ms)" },
	{ RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
	    "raise max.message.bytes of the topic, or lower the peer's max_record_batch_bytes" },
	{ RD_KAFKA_RESP_ERR_INVALID_MSG, "does the topic demand keys (cleanup.policy=compact)?" },
	{ RD_KAFKA_RESP_ERR_INVALID_RECORD,
	    "does the topic demand keys (cleanup.policy=compact)?" },
	{ RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
	    "there are fewer brokers: set PEERD_KAFKA_REPLICATION_FACTOR" },
	{ RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, "check PEERD_KAFKA_PARTITIONS" },
	{ RD_KAFKA_RESP_ERR_INVALID_CONFIG, "check PEERD_KAFKA_TOPIC_CONFIG" },
	{ RD_KAFKA_RESP_ERR_POLICY_VIOLATION, "the cluster has a policy for new topics" },
	{ RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "was the topic deleted? create it again" },
	{ RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "was the topic deleted? create it again" },
	{ RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, "" },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, "" },
};

bool
kerror_is_fencing(int code)
{
	return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
	    code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/*
 * Before 2.6.1 librdkafka sent its nonce twice (its issue 4895), which Kafka 4 takes for a
 * forgery. It calls that invalid credentials, as it does a wrong password.
 */
#define SCRAM_MENDED 0x020601

static bool
may_be_forgery(int code, const char *words)
{
	return (code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
		   code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED) &&
	    strstr(words, "SCRAM") != NULL && rd_kafka_version() >> 8 < SCRAM_MENDED;
}

bool
kerror_set(struct err *err, int code, const char *words)
{
	size_t i;

	if (words == NULL)
		words = rd_kafka_err2str((rd_kafka_resp_err_t)code);
	if (may_be_forgery(code, words)) {
		err_set(err, ERR_CONFIG, "%s", words);
		return err_hint(err,
		    "check username, password and sasl; brokers of Kafka 4 refuse SCRAM whatever "
		    "the"
		    " password unless librdkafka is 2.6.1 or newer, and this is %s: install a newer"
		    " one, or use sasl PLAIN with TLS",
		    rd_kafka_version_str());
	}
	for (i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++)
		if (lasting[i].code == code) {
			err_set(err, ERR_CONFIG, "%s", words);
			return err_hint(err, "%s", lasting[i].hint);
		}
	if (kerror_is_fencing(code))
		return err_set(err, ERR_TRANSIENT,
		    "another worker has taken over, or the transaction took longer than the"
		    " brokers allow: %s",
		    words);
	return err_set(err, ERR_TRANSIENT, "%s", words);
}

bool
kerror_is_passing(int code)
{
	static const int passing[] = {
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
		RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
		RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
		RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
		RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
		RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
		RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
		RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
		RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
		RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
		RD_KAFKA_RESP_ERR_NOT_CONTROLLER,
		RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
		RD_KAFKA_RESP_ERR_OPERATION_NOT_ATTEMPTED,
		RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
		RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
		RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
		RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
	};
	size_t i;

	for (i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (passing[i] == code)
			return true;
	return false;
}
