#include "lib/control/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

struct tls_context {
	SSL_CTX *ctx;
	char *certificate;
	char *key;
};

static bool
fail(const char *what, const char *file, struct err *err)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = code != 0 ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return err_set(err, ERR_CONFIG, "could not use the TLS %s \"%s\": %s", what, file,
	    why != NULL ? why : "unknown error");
}

/* A key that wants a pass phrase must not make the daemon ask on a terminal. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	return -1;
}

static bool
load(SSL_CTX *ctx, const char *certificate, const char *key, struct err *err)
{
	ERR_clear_error();
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
		return fail("certificate", certificate, err);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return fail("key", key, err);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail("key", key, err);
	return true;
}

static bool
context_new(const char *certificate, const char *key, SSL_CTX **ctx_r, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return fail("library for", certificate, err);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!load(ctx, certificate, key, err)) {
		SSL_CTX_free(ctx);
		return false;
	}
	*ctx_r = ctx;
	return true;
}

bool
tls_open(const char *certificate, const char *key, struct tls_context **tls_r, struct err *err)
{
	struct tls_context *tls;
	SSL_CTX *ctx;

	if (!context_new(certificate, key, &ctx, err))
		return false;
	tls = xcalloc(1, sizeof(*tls));
	tls->ctx = ctx;
	tls->certificate = xstrdup(certificate);
	tls->key = xstrdup(key);
	*tls_r = tls;
	return true;
}

bool
tls_reload(struct tls_context *tls, struct err *err)
{
	SSL_CTX *ctx;

	if (!context_new(tls->certificate, tls->key, &ctx, err))
		return false;
	SSL_CTX_free(tls->ctx);
	tls->ctx = ctx;
	return true;
}

void
tls_free(struct tls_context **tls)
{
	if (*tls == NULL)
		return;
	SSL_CTX_free((*tls)->ctx);
	MEM_FREE((*tls)->certificate);
	MEM_FREE((*tls)->key);
	MEM_FREE(*tls);
}

SSL *
tls_accept(struct tls_context *tls)
{
	return SSL_new(tls->ctx);
}
