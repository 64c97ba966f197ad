/* certificates.h - a fresh certificate authority and one certificate of it, in temporary files, for tests.
 * Owns:    the files, until certificates_remove.
 * Threads: the test's. */
#ifndef DZ_TEST_NET_CERTIFICATES_H
#define DZ_TEST_NET_CERTIFICATES_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct certificates {
    char cert[64];
    char key[64];
    char ca[64];
    char other_key[64];
};

static FILE *certificates_file(char path[64])
{
    snprintf(path, 64, "/tmp/dozor-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    return file;
}

static X509 *certificates_sign(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                               -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    if (!issuer) {
        X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(x, ca, -1);
        X509_EXTENSION_free(ca);
    }
    assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
    return x;
}

static void certificates_write_key(EVP_PKEY *key, char path[64])
{
    FILE *file = certificates_file(path);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

static void certificates_write(X509 *x, char path[64])
{
    FILE *file = certificates_file(path);
    assert_int_equal(PEM_write_X509(file, x), 1);
    fclose(file);
}

static void certificates_make(struct certificates *c)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = certificates_sign(ca_key, "test ca", NULL, ca_key);
    X509 *cert = certificates_sign(key, "test node", ca, ca_key);
    certificates_write(ca, c->ca);
    certificates_write(cert, c->cert);
    certificates_write_key(key, c->key);
    certificates_write_key(ca_key, c->other_key);
    X509_free(ca);
    X509_free(cert);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

static void certificates_remove(struct certificates *c)
{
    unlink(c->cert);
    unlink(c->key);
    unlink(c->ca);
    unlink(c->other_key);
}

#endif
