/* Runs a call that a signal handler may abandon: see guard.rs, which owns the rules. */
#include <setjmp.h>

struct landing {
    sigjmp_buf place;
};

/* Returns 0 once `run` has returned, 1 if affiant_guard_abandon ended it. `landing` receives where
   to; it is set before `run` starts and dangling after this returns. The signal mask is not saved:
   the handler is installed so that it leaves the mask alone. */
int affiant_guard_run(void (*run)(void *), void *argument, struct landing **landing) {
    struct landing here;
    *landing = &here;
    if (sigsetjmp(here.place, 0) != 0) {
        return 1;
    }
    run(argument);
    return 0;
}

/* Ends the run that lands there; every frame above it is gone without a trace. */
void affiant_guard_abandon(struct landing *landing) {
    siglongjmp(landing->place, 1);
}
