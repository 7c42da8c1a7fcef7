/*
 * kconn - a connection to one Kafka broker
 *
 * TCP or TLS by libcurl, the broker's greeting (which versions do we both
 * know?) and SASL, all of which kconn_open() waits for. From then on nothing
 * waits: frames are queued, kconn_io() moves what the socket takes and gives,
 * kconn_next() hands out whole answers in the order of their requests.
 *
 *	kconn_open()		connected, greeted and let in; or err says why not
 *	kconn_request()		begin a request, in the buffer that goes out
 *	kconn_io()		when poll() says so; false: the connection is lost
 *	kconn_next()		answers, until there is none
 *	kconn_close()
 *
 * Secrets are lent for the time of kconn_open(). Errors: ERR_CONFIG for what
 * the user must change (TLS, who he is, a server that is not Kafka or too
 * old), ERR_TRANSIENT for a broker that is away, ERR_PROTOCOL, ERR_CANCELLED.
 */
#ifndef PEERD_CONN_KCONN_H
#define PEERD_CONN_KCONN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/conn/kwire.h"

struct err;
struct kconn;

/* Of all connections to a cluster. "" or NULL: none of it. */
struct kconn_config {
	const char *client_id;
	bool tls;
	const char *root_ca; /* PEM, instead of the system's authorities */
	const char *certificate;
	const char *private_key;
	const char *mechanism; /* of SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 */
	const char *username;
	const char *password;
	usec_t timeout; /* for all of kconn_open() */

	bool (*go_on)(void *arg, struct err *err); /* asked while we wait */
	void *arg;
};

bool kconn_open(const struct kconn_config *cfg, const char *host, uint16_t port, struct kconn **c_r,
    struct err *err);
void kconn_close(struct kconn **c);

/* "host:port", for people. */
const char *kconn_name(const struct kconn *c);

/*
 * A request's buffer, with its header in it; correlation_r: what its answer is
 * told by. The body is added, then kconn_end() called with the same buffer.
 */
struct buf *kconn_request(struct kconn *c, enum kwire_api api, int32_t *correlation_r);
void kconn_end(struct kconn *c);

/* The version in which requests of this kind go out. */
int16_t kconn_version(const struct kconn *c, enum kwire_api api);

/* For poll(). */
int kconn_fd(const struct kconn *c);
short kconn_events(const struct kconn *c);

bool kconn_io(struct kconn *c, struct err *err);

struct kconn_answer {
	int32_t correlation;
	struct slice body; /* lent until the next kconn_io() */
};

/* False: there is none (yet), or, if err is set, the broker spoke nonsense. */
bool kconn_next(struct kconn *c, struct kconn_answer *a_r, struct err *err);

#endif
