/* sim_same.c - see sim_same.h.
 * Owns:    see sim_same.h.
 * Threads: see sim_same.h.
 * Fails:   see sim_same.h.
 *
 * getrandom is trapped by a filter of the kernel and answered in the handler of the signal that comes of it. The handler has no
 * state but the environment: every call is answered with the same bytes, which is enough for a hash's seed. */
#include "host/sim_same.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "sim/sim_rand.h"

#define SEED_VARIABLE "DOZOR_SIM_RANDOM"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

bool dz_sim_same_addresses(void)
{
    int now = personality(0xffffffff);
    return now != -1 && personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1;
}

#ifdef ARCH
static void fill(uint8_t *out, size_t len)
{
    const char *text = getenv(SEED_VARIABLE);
    struct dz_sim_rand rand = {.state = text ? strtoull(text, NULL, 10) : 0};
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)dz_sim_rand_next(&rand);
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)signal;
    (void)info;
#if defined(__x86_64__)
    greg_t *r = u->uc_mcontext.gregs;
    fill((uint8_t *)r[REG_RDI], (size_t)r[REG_RSI]);
    r[REG_RAX] = r[REG_RSI];
#else
    fill((uint8_t *)u->uc_mcontext.regs[0], (size_t)u->uc_mcontext.regs[1]);
    u->uc_mcontext.regs[0] = u->uc_mcontext.regs[1];
#endif
}

static bool trap_getrandom(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool dz_sim_same_random(uint64_t seed)
{
    struct sigaction action;
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    return setenv(SEED_VARIABLE, text, 1) == 0 && sigaction(SIGSYS, &action, NULL) == 0 && trap_getrandom();
}
#else
bool dz_sim_same_random(uint64_t seed)
{
    (void)seed;
    return false;
}
#endif
