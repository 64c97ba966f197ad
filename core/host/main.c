/* main.c - the program `dozor`: finds the command and runs it.
 * Owns:    nothing.
 * Threads: the main thread.
 * Fails:   misuse: exit code 2. */
#include <stdio.h>
#include <string.h>

#include "host/cli.h"
#include "host/config.h"

static const struct dz_cli_command *const commands[] = { &dz_cli_run, &dz_cli_up, &dz_cli_check, &dz_cli_sim };
#define COMMANDS (sizeof commands / sizeof commands[0])

static void help(void)
{
    puts("dozor - supervised Lua processes, on one machine or on a cluster\n\n"
         "usage:");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  dozor %s\n", commands[i]->usage);
    puts("  dozor --version\n"
         "  dozor --help\n"
         "  dozor COMMAND --help");
}

static int unknown_command(const char *word)
{
    static const char *const options[] = { "--help", "--version" };
    const char *names[COMMANDS];
    bool option = word[0] == '-';
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i]->name;
    const char *near = dz_config_nearest(word, strlen(word), option ? options : names, option ? 2 : COMMANDS);
    const char *what = option ? "option" : "command";
    if (near)
        return dz_cli_fail(DZ_EXIT_USAGE, "unknown %s %s, did you mean %s?", what, word, near);
    return dz_cli_fail(DZ_EXIT_USAGE, "unknown %s %s; see dozor --help", what, word);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help();
        return DZ_EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        help();
        return 0;
    }
    if (strcmp(word, "--version") == 0) {
        printf("dozor %s\n", dz_version());
        return 0;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, word) == 0)
            return commands[i]->main(argc - 2, argv + 2);
    return unknown_command(word);
}
