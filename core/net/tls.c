/* tls.c - OpenSSL between two memory BIOs.
 * Owns:    the SSL objects.
 * Threads: a context any, a dz_tls one at a time.
 * Fails:   as tls.h says; OpenSSL's own error queue (one a thread) is left empty by every call. */
#include "net/tls.h"
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/core_names.h>
#include <openssl/ssl.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define KEY_BYTES 32

struct dz_tls_context {
    SSL_CTX *ctx;
    SSL_SESSION *psk; /* the secret as a session to "resume"; NULL with certificates */
};

struct dz_tls {
    SSL *ssl;
    BIO *in;
    BIO *out;
    bool must_use_psk;
};

static const char identity[] = "dozor/1";
static const char salt[] = "dozor cluster secret";
static const char purpose[] = "tls 1.3 external psk";

static int derive(const void *secret, size_t len, uint8_t key[KEY_BYTES])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    uint8_t *bytes = dz_alloc(len);
    int err = DZ_ENOMEM;
    if (ctx && bytes) {
        char digest[] = "SHA256", salt_bytes[sizeof(salt)], info[sizeof(purpose)];
        memcpy(bytes, secret, len);
        memcpy(salt_bytes, salt, sizeof(salt));
        memcpy(info, purpose, sizeof(purpose));
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, bytes, len),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt_bytes, sizeof(salt) - 1),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(purpose) - 1),
            OSSL_PARAM_construct_end(),
        };
        err = EVP_KDF_derive(ctx, key, KEY_BYTES, params) > 0 ? 0 : DZ_ECONFIG;
    }
    if (bytes)
        OPENSSL_cleanse(bytes, len);
    dz_free(bytes);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return err;
}

static struct dz_tls_context *context_of(SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* The dialler offers the secret. After a retry request `md` names the hash that was chosen; ours is always SHA-256. */
static int offer_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len,
                     SSL_SESSION **session)
{
    *session = NULL;
    *id = (const unsigned char *)identity;
    *id_len = sizeof(identity) - 1;
    if (md && EVP_MD_get_type(md) != NID_sha256)
        return 0;
    *session = SSL_SESSION_dup(context_of(ssl)->psk);
    return *session != NULL;
}

/* The acceptor looks the identity up. An unknown one leaves no way on, because this side has no certificate. */
static int find_psk(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **session)
{
    *session = NULL;
    if (id_len != sizeof(identity) - 1 || memcmp(id, identity, id_len) != 0)
        return 1;
    *session = SSL_SESSION_dup(context_of(ssl)->psk);
    return *session != NULL;
}

static int context_new(struct dz_tls_context **out)
{
    struct dz_tls_context *c = dz_zalloc(1, sizeof(*c));
    if (!c)
        return DZ_ENOMEM;
    c->ctx = SSL_CTX_new(TLS_method());
    if (!c->ctx) {
        dz_free(c);
        return DZ_ENOMEM;
    }
    *out = c;
    SSL_CTX_set_app_data(c->ctx, c);
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
    /* OpenSSL wants a name for what may be "resumed" once peers are verified, and a pre-shared key is a session to it. */
    bool ok =
        SSL_CTX_set_session_id_context(c->ctx, (const unsigned char *)identity, sizeof(identity) - 1) == 1 &&
        SSL_CTX_set_min_proto_version(c->ctx, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(c->ctx, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_ciphersuites(c->ctx, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
        SSL_CTX_set1_groups_list(c->ctx, "X25519:P-256") == 1 && SSL_CTX_set_num_tickets(c->ctx, 0) == 1;
    /* With a secret no certificate is ever sent; whoever sends one instead of proving the secret fails here. */
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return ok ? 0 : DZ_ECONFIG;
}

static int psk_session(struct dz_tls_context *c, const uint8_t key[KEY_BYTES])
{
    static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
    SSL *ssl = SSL_new(c->ctx);
    const SSL_CIPHER *cipher = ssl ? SSL_CIPHER_find(ssl, aes_128_gcm_sha256) : NULL;
    c->psk = SSL_SESSION_new();
    bool ok = cipher && c->psk && SSL_SESSION_set1_master_key(c->psk, key, KEY_BYTES) == 1 &&
              SSL_SESSION_set_cipher(c->psk, cipher) == 1 &&
              SSL_SESSION_set_protocol_version(c->psk, TLS1_3_VERSION) == 1 &&
              SSL_SESSION_set1_id_context(c->psk, (const unsigned char *)identity, sizeof(identity) - 1) == 1;
    SSL_free(ssl);
    return ok ? 0 : DZ_ENOMEM;
}

int dz_tls_context_new_secret(struct dz_tls_context **out, const void *secret, size_t len)
{
    if (len == 0)
        return DZ_ECONFIG;
    struct dz_tls_context *c = NULL;
    uint8_t key[KEY_BYTES];
    int err = derive(secret, len, key);
    if (!err)
        err = context_new(&c);
    if (!err)
        err = psk_session(c, key);
    OPENSSL_cleanse(key, sizeof(key));
    ERR_clear_error();
    if (err) {
        dz_tls_context_delete(c);
        return err;
    }
    SSL_CTX_set_psk_use_session_callback(c->ctx, offer_psk);
    SSL_CTX_set_psk_find_session_callback(c->ctx, find_psk);
    *out = c;
    return 0;
}

/* Nobody is there to type the passphrase of an encrypted key. */
static int no_passphrase(char *out, int size, int writing, void *ctx)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

/* NULL, or what cannot be used, with its file in *path. */
static const char *load_files(SSL_CTX *ctx, const char *cert, const char *key, const char *ca, const char **path)
{
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    *path = cert;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return "the certificate";
    *path = key;
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return "the key";
    if (SSL_CTX_check_private_key(ctx) != 1)
        return "the key, which is not the certificate's,";
    *path = ca;
    if (SSL_CTX_load_verify_file(ctx, ca) != 1)
        return "the ca";
    return NULL;
}

/* What the system or OpenSSL said first: what follows are its callers' complaints. */
static void explain(const char *bad, const char *path, char *why, size_t why_len)
{
    unsigned long first = ERR_peek_error();
    bool locked = ERR_GET_REASON(first) == ERR_R_INTERRUPTED_OR_CANCELLED; /* by no_passphrase */
    const char *reason = ERR_SYSTEM_ERROR(first) ? strerror((int)ERR_GET_REASON(first)) : ERR_reason_error_string(first);
    if (locked)
        reason = "it is encrypted, and there is nobody to give a passphrase";
    snprintf(why, why_len, "cannot use %s %s: %s", bad, path, reason ? reason : "unknown reason");
}

int dz_tls_context_new_files(struct dz_tls_context **out, const char *cert, const char *key, const char *ca,
                             char *why, size_t why_len)
{
    struct dz_tls_context *c = NULL;
    ERR_clear_error();
    int err = context_new(&c);
    const char *path = NULL;
    const char *bad = err ? NULL : load_files(c->ctx, cert, key, ca, &path);
    if (bad && why && why_len)
        explain(bad, path, why, why_len);
    ERR_clear_error();
    if (err || bad) {
        dz_tls_context_delete(c);
        return err ? err : DZ_ECONFIG;
    }
    *out = c;
    return 0;
}

void dz_tls_context_delete(struct dz_tls_context *c)
{
    if (!c)
        return;
    SSL_SESSION_free(c->psk);
    SSL_CTX_free(c->ctx);
    dz_free(c);
}

int dz_tls_new(struct dz_tls **out, struct dz_tls_context *c, bool server)
{
    struct dz_tls *t = dz_zalloc(1, sizeof(*t));
    if (!t)
        return DZ_ENOMEM;
    t->ssl = SSL_new(c->ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    t->must_use_psk = c->psk != NULL;
    if (!t->ssl || !t->in || !t->out) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        dz_free(t);
        ERR_clear_error();
        return DZ_ENOMEM;
    }
    SSL_set_bio(t->ssl, t->in, t->out);
    if (server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    *out = t;
    return 0;
}

void dz_tls_delete(struct dz_tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl); /* frees both BIOs */
    dz_free(t);
}

/* What a call that did not succeed means: 0 for "more bytes are needed". */
static int failure(struct dz_tls *t, int result)
{
    int why = SSL_get_error(t->ssl, result);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ)
        return 0;
    return why == SSL_ERROR_ZERO_RETURN ? DZ_ECLOSED : DZ_EAUTH;
}

int dz_tls_handshake(struct dz_tls *t)
{
    ERR_clear_error();
    int result = SSL_do_handshake(t->ssl);
    if (result != 1)
        return failure(t, result);
    if (t->must_use_psk && !SSL_session_reused(t->ssl))
        return DZ_EAUTH;
    return 1;
}

int dz_tls_input(struct dz_tls *t, const void *data, size_t len)
{
    dz_assert(len <= INT32_MAX);
    if (len == 0)
        return 0;
    int written = BIO_write(t->in, data, (int)len);
    ERR_clear_error();
    return written == (int)len ? 0 : DZ_ENOMEM;
}

int dz_tls_read(struct dz_tls *t, struct dz_buf *out, size_t max)
{
    for (size_t total = 0; total < max;) {
        int err = dz_buf_reserve(out, 16384);
        if (err)
            return err;
        ERR_clear_error();
        int got = SSL_read(t->ssl, out->data + out->len, 16384);
        if (got <= 0)
            return failure(t, got);
        out->len += (size_t)got;
        total += (size_t)got;
    }
    return 1;
}

int dz_tls_write(struct dz_tls *t, const void *data, size_t len)
{
    dz_assert(len > 0 && len <= INT32_MAX);
    ERR_clear_error();
    int written = SSL_write(t->ssl, data, (int)len);
    if (written > 0)
        return 0;
    int err = failure(t, written);
    return err ? err : DZ_EIO; /* a memory BIO takes everything; it can want nothing */
}

int dz_tls_output(struct dz_tls *t, struct dz_buf *out)
{
    char *data = NULL;
    long waiting = BIO_get_mem_data(t->out, &data);
    if (waiting <= 0)
        return 0;
    int err = dz_buf_append(out, data, (size_t)waiting);
    if (err)
        return err;
    (void)BIO_reset(t->out);
    return 0;
}

void dz_tls_finish(struct dz_tls *t)
{
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

int dz_tls_first_record(const uint8_t *data, size_t len)
{
    static const uint8_t handshake_record = 0x16, client_hello = 0x01;
    if ((len > 0 && data[0] != handshake_record) || (len > 1 && data[1] != 3))
        return DZ_EFORMAT;
    if (len < 5)
        return 0;
    size_t body = (size_t)data[3] << 8 | data[4];
    if (body < 4 || body + 5 > DZ_TLS_MAX_FIRST_RECORD)
        return DZ_EFORMAT;
    if (len < 9)
        return 0;
    size_t hello = (size_t)data[6] << 16 | (size_t)data[7] << 8 | data[8];
    if (data[5] != client_hello || hello + 4 != body)
        return DZ_EFORMAT;
    return len >= body + 5;
}
