/* replay.c - the main() of a target built without libFuzzer: replay DIR... runs the target on every file of the directories, on
 * the beginnings of each, and on each with single bytes changed. A first directory that has no files is a failure, others may be
 * missing.
 * Owns:    nothing.
 * Threads: one.
 * Fails:   the target does, by ending the program; the file is named first. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include "fuzz.h"

#define MAX_BYTES (1024u * 1024u)
/* So many beginnings of each file, spread over it, and so many changes. */
#ifndef FUZZ_VARIANTS
#define FUZZ_VARIANTS 200u
#endif

/* In memory of exactly that size, so that a read beyond it is seen. */
static void run(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    FUZZ_CHECK(copy);
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void run_variants(uint8_t *data, size_t len)
{
    uint64_t random = len * 2654435761u + 1;
    run(data, len);
    for (size_t i = 0; i < FUZZ_VARIANTS && i < len; i++)
        run(data, len <= FUZZ_VARIANTS ? i : i * len / FUZZ_VARIANTS);
    for (size_t i = 0; i < FUZZ_VARIANTS && len > 0; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(random >> 33) % len;
        uint8_t was = data[at];
        data[at] = (uint8_t)(i % 2 ? random >> 20 : was ^ 1u << (random >> 17 & 7));
        run(data, len);
        data[at] = was;
    }
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(MAX_BYTES);
    FUZZ_CHECK(file && data);
    size_t len = fread(data, 1, MAX_BYTES, file);
    fclose(file);
    fprintf(stderr, "%s\n", path);
    run_variants(data, len);
    free(data);
}

static unsigned run_directory(const char *path)
{
    unsigned files = 0;
    struct dirent *entry;
    struct stat info;
    DIR *directory = opendir(path);
    while (directory && (entry = readdir(directory)) != NULL) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (stat(name, &info) || !S_ISREG(info.st_mode))
            continue;
        run_file(name);
        files++;
    }
    if (directory)
        closedir(directory);
    return files;
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    run((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        unsigned found = run_directory(argv[i]);
        if (i == 1 && found == 0) {
            fprintf(stderr, "no corpus in %s\n", argv[i]);
            return 1;
        }
        files += found;
    }
    fprintf(stderr, "%u files\n", files);
    return argc > 1 ? 0 : 1;
}
