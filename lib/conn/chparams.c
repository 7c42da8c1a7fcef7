#include "lib/conn/chparams.h"

#include <ctype.h>
#include <errno.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define PLAIN_PORT 8123

static bool
has_text(const char *s)
{
	return s != NULL && s[0] != '\0';
}

/* Text that p keeps and wipes in the end. */
static const char *
keep(struct chparams *p, char *text)
{
	if (p->nowned == CHPARAMS_OWNED)
		bug("more than %d texts to keep", CHPARAMS_OWNED);
	return p->owned[p->nowned++] = text;
}

/* ---- user and password */

/* HTTP drops blanks around a header's value, and cannot carry control characters. */
static bool
fits_header(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)s[i]))
			return false;
	return n == 0 || (s[0] != ' ' && s[n - 1] != ' ');
}

static bool
add_header(struct chparams *p, int at, const char *name, const char *value, const char *field,
    struct err *err)
{
	if (!has_text(value))
		return true;
	if (!fits_header(value))
		return err_set(err, ERR_CONFIG,
		    "the %s begins or ends with a blank or holds a control character, which HTTP"
		    " cannot carry",
		    field);
	p->headers[at] = keep(p, xasprintf("%s: %s", name, value));
	return true;
}

/* ---- TLS */

static bool
wants_tls(const PeerdbPeers__ClickhouseConfig *cfg)
{
	if (cfg->has_disable_tls)
		return !cfg->disable_tls;
	return cfg->port != PLAIN_PORT || has_text(cfg->certificate) || has_text(cfg->root_ca) ||
	    has_text(cfg->tls_host) || has_text(cfg->tls_certificate_directory);
}

static bool
check_readable(const char *path, struct err *err)
{
	if (access(path, R_OK) == 0)
		return true;
	err_set(err, ERR_CONFIG, "could not read \"%s\": %s", path, strerror(errno));
	return err_hint(err,
	    "tls_certificate_directory holds tls.crt, tls.key and perhaps ca.crt,"
	    " which peerd may read");
}

static bool
use_directory(struct chparams *p, const char *dir, struct err *err)
{
	struct httpc_tls *tls = &p->http.tls;
	char *ca = xasprintf("%s/ca.crt", dir);

	tls->files = true;
	tls->certificate = keep(p, xasprintf("%s/tls.crt", dir));
	tls->private_key = keep(p, xasprintf("%s/tls.key", dir));
	keep(p, ca);
	tls->root_ca = access(ca, F_OK) == 0 ? ca : NULL;
	return check_readable(tls->certificate, err) && check_readable(tls->private_key, err) &&
	    (tls->root_ca == NULL || check_readable(tls->root_ca, err));
}

static bool
check_pem(const char *text, const char *field, struct err *err)
{
	if (!has_text(text) || strstr(text, "-----BEGIN ") != NULL)
		return true;
	return err_set(err, ERR_CONFIG, "%s is not PEM text (-----BEGIN ...)", field);
}

static bool
set_tls(struct chparams *p, const PeerdbPeers__ClickhouseConfig *cfg, struct err *err)
{
	struct httpc_tls *tls = &p->http.tls;

	tls->name = cfg->tls_host;
	if (has_text(cfg->tls_certificate_directory))
		return use_directory(p, cfg->tls_certificate_directory, err);
	tls->certificate = cfg->certificate;
	tls->private_key = cfg->private_key;
	tls->root_ca = cfg->root_ca;
	if (has_text(cfg->certificate) != has_text(cfg->private_key)) {
		err_set(err, ERR_CONFIG, "only one of certificate and private_key is given");
		return err_hint(err, "give both, or neither");
	}
	return check_pem(cfg->certificate, "certificate", err) &&
	    check_pem(cfg->private_key, "private_key", err) &&
	    check_pem(cfg->root_ca, "root_ca", err);
}

/* ---- the whole */

static bool
is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || str_starts(host, "127.") ||
	    strcmp(host, "::1") == 0;
}

static bool
set_compression(struct chparams *p, const PeerdbPeers__ClickhouseConfig *cfg, struct err *err)
{
	const char *how = cfg->compression;

	if (how[0] != '\0' && strcmp(how, "none") != 0 && strcmp(how, "lz4") != 0)
		return err_set(err, ERR_CONFIG, "compression \"%s\" is neither none nor lz4", how);
	p->compress = how[0] != '\0' ? how[0] == 'l' : !is_loopback(cfg->host);
	return true;
}

bool
chparams_build(struct chparams *p, const PeerdbPeers__ClickhouseConfig *cfg, struct err *err)
{
	*p = (struct chparams){ .compress = false };
	p->http.host = cfg->host;
	p->http.port = (uint16_t)cfg->port;
	p->http.headers = p->headers;
	p->http.https = wants_tls(cfg);
	if (!add_header(p, 0, "X-ClickHouse-User", has_text(cfg->user) ? cfg->user : "default",
		"user", err) ||
	    !add_header(p, 1, "X-ClickHouse-Key", cfg->password, "password", err))
		return false;
	return set_compression(p, cfg, err) && (!p->http.https || set_tls(p, cfg, err));
}

void
chparams_done(struct chparams *p)
{
	for (int i = 0; i < p->nowned; i++) {
		mem_wipe(p->owned[i], strlen(p->owned[i]));
		MEM_FREE(p->owned[i]);
	}
	p->nowned = 0;
}
