#include "lib/conn/pgparams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

void
pgparams_ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static bool
has_text(const char *s)
{
	return s != NULL && s[0] != '\0';
}

/* A later value for a keyword replaces the earlier one. */
static void
param_set(struct pgparams *p, const char *key, const char *value)
{
	int i;

	for (i = 0; i < p->n && strcmp(p->keys[i], key) != 0; i++)
		;
	if (i == PGPARAMS_MAX)
		bug("more than %d connection parameters", PGPARAMS_MAX);
	if (i == p->n) {
		p->keys[p->n++] = xstrdup(key);
	} else {
		mem_wipe((char *)p->values[i], strlen(p->values[i]));
		free((char *)p->values[i]);
	}
	p->values[i] = xstrdup(value);
}

/* "" when it is not set. */
static const char *
param_get(const struct pgparams *p, const char *key)
{
	int i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->keys[i], key) == 0)
			return p->values[i];
	return "";
}

static void
param_set_nonempty(struct pgparams *p, const char *key, const char *value)
{
	if (has_text(value))
		param_set(p, key, value);
}

static bool
param_set_file(struct pgparams *p, const char *key, const char *text, struct err *err)
{
	size_t n = strlen(text);
	char path[64];
	int fd;

	if (n == 0)
		return true;
	fd = memfd_create(key, MFD_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0600) < 0 || write(fd, text, n) != (ssize_t)n) {
		fd_close(&fd);
		return err_set(err, ERR_TRANSIENT, "could not hold %s in memory: %s", key,
		    strerror(errno));
	}
	p->files[p->nfiles++] = fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	param_set(p, key, path);
	return true;
}

static bool
from_connection_string(struct pgparams *p, const char *text, struct err *err)
{
	PQconninfoOption *opts, *o;
	char *words = NULL;

	opts = PQconninfoParse(text, &words);
	PQfreemem(words); /* may repeat parts of the string, a password among them */
	if (opts == NULL) {
		err_set(err, ERR_CONFIG, "connection_string cannot be parsed");
		return err_hint(err,
		    "give a libpq URI or keyword = value pairs, for example"
		    " \"host=db.example.org dbname=shop user=peerd\"");
	}
	for (o = opts; o->keyword != NULL; o++)
		param_set_nonempty(p, o->keyword, o->val);
	PQconninfoFree(opts);
	return true;
}

/* REFERENCE: (require_tls, disable_tls absent/false/true) -> must TLS be used? */
static bool
must_use_tls(const PeerdbPeers__PostgresConfig *cfg)
{
	return cfg->require_tls || (cfg->has_disable_tls && !cfg->disable_tls);
}

/* The mode to set; NULL: leave what the connection string says, or libpq's default. */
static const char *
tls_mode(const struct pgparams *p, const PeerdbPeers__PostgresConfig *cfg)
{
	if (has_text(cfg->sslmode))
		return cfg->sslmode;
	if (!must_use_tls(cfg))
		return NULL;
	if (has_text(cfg->root_ca) && !cfg->skip_cert_verification)
		return "verify-full";
	return str_starts(param_get(p, "sslmode"), "verify-") ? NULL : "require";
}

/* libpq verifies the certificate against `host`; the address to dial then goes into hostaddr. */
static bool
verify_other_name(struct pgparams *p, const PeerdbPeers__PostgresConfig *cfg, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai;
	const char *host = param_get(p, "host");
	char addr[INET6_ADDRSTRLEN];
	int rc;

	if (param_get(p, "hostaddr")[0] == '\0') {
		rc = getaddrinfo(host, NULL, &hints, &ai);
		if (rc == 0) {
			rc = getnameinfo(ai->ai_addr, ai->ai_addrlen, addr, sizeof(addr), NULL, 0,
			    NI_NUMERICHOST);
			freeaddrinfo(ai);
		}
		if (rc != 0)
			return err_set(err, rc == EAI_AGAIN ? ERR_TRANSIENT : ERR_CONFIG,
			    "could not resolve host \"%s\": %s", host, gai_strerror(rc));
		param_set(p, "hostaddr", addr);
	}
	param_set(p, "host", cfg->tls_host);
	return true;
}

static bool
set_client_certificate(struct pgparams *p, const PeerdbPeers__ClientTlsConfig *tls, struct err *err)
{
	if ((tls->certificate[0] != '\0') != (tls->private_key[0] != '\0')) {
		err_set(err, ERR_CONFIG, "client_tls has only one of certificate and private_key");
		return err_hint(err, "give both, or neither");
	}
	return param_set_file(p, "sslcert", tls->certificate, err) &&
	    param_set_file(p, "sslkey", tls->private_key, err);
}

static bool
set_tls(struct pgparams *p, const PeerdbPeers__PostgresConfig *cfg, struct err *err)
{
	/* given an authority, libpq verifies in every mode */
	bool use_ca = has_text(cfg->root_ca) &&
	    (!cfg->skip_cert_verification || has_text(cfg->sslmode));

	param_set_nonempty(p, "sslmode", tls_mode(p, cfg));
	if (use_ca && !param_set_file(p, "sslrootcert", cfg->root_ca, err))
		return false;
	if (cfg->client_tls != NULL && !set_client_certificate(p, cfg->client_tls, err))
		return false;
	return cfg->tls_host[0] == '\0' || verify_other_name(p, cfg, err);
}

/* Blanks, the brackets of [::1] and anything after '/' or '?' are not part of a host name. */
static void
set_host(struct pgparams *p, const char *host)
{
	char clean[256];
	size_t n;

	host += strspn(host, " \t");
	if (host[0] == '/') {
		param_set(p, "host", host); /* a Unix socket directory */
		return;
	}
	if (host[0] == '[')
		host++;
	n = strcspn(host, "]/? \t");
	snprintf(clean, sizeof(clean), "%.*s", (int)n, host);
	param_set_nonempty(p, "host", clean);
}

static bool
check_supported(const PeerdbPeers__PostgresConfig *cfg, struct err *err)
{
	if (cfg->ssh_config != NULL) {
		err_set(err, ERR_UNIMPLEMENTED, "ssh_config is not supported");
		return err_hint(err, "open the tunnel with ssh -L and point the peer at it");
	}
	if (cfg->auth_type != PEERDB_PEERS__POSTGRES_AUTH_TYPE__POSTGRES_PASSWORD)
		return err_set(err, ERR_UNIMPLEMENTED,
		    "auth_type POSTGRES_IAM_AUTH is not supported");
	return true;
}

static void
set_session(struct pgparams *p, const char *what, bool replication)
{
	param_set(p, "client_encoding", "UTF8");
	param_set(p, "application_name", what);
	if (replication)
		param_set(p, "replication", "database");
	/* a dead network is noticed in about a minute, unless the peer's options say otherwise */
	param_set(p, "keepalives_idle", "30");
	param_set(p, "keepalives_interval", "10");
	param_set(p, "keepalives_count", "3");
}

bool
pgparams_build(struct pgparams *p, const PeerdbPeers__PostgresConfig *cfg, const char *what,
    bool replication, struct err *err)
{
	char port[16];
	size_t i;

	*p = (struct pgparams){ .n = 0 };
	if (!check_supported(cfg, err))
		return false;
	set_session(p, what, replication);
	if (has_text(cfg->connection_string) &&
	    !from_connection_string(p, cfg->connection_string, err))
		return false;
	set_host(p, cfg->host);
	snprintf(port, sizeof(port), "%u", cfg->port);
	param_set_nonempty(p, "port", cfg->port != 0 ? port : "");
	param_set_nonempty(p, "user", cfg->user);
	param_set_nonempty(p, "password", cfg->password);
	param_set_nonempty(p, "dbname", cfg->database);
	if (!set_tls(p, cfg, err))
		return false;
	if (p->n + (int)cfg->n_options > PGPARAMS_MAX)
		return err_set(err, ERR_CONFIG, "too many options");
	for (i = 0; i < cfg->n_options; i++)
		param_set(p, cfg->options[i]->key, cfg->options[i]->value);
	return true;
}

void
pgparams_done(struct pgparams *p)
{
	int i;

	for (i = 0; i < p->n; i++) {
		mem_wipe((char *)p->values[i], strlen(p->values[i]));
		free((char *)p->values[i]);
		free((char *)p->keys[i]);
		p->keys[i] = p->values[i] = NULL;
	}
	p->n = 0;
	for (i = 0; i < p->nfiles; i++)
		fd_close(&p->files[i]);
	p->nfiles = 0;
}
