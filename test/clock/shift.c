// Loaded before the C library (LD_PRELOAD), adds CLOCK_SHIFT_SECONDS to what a process and its children read as the time of
// day; clocks that only count, and so timers, are left alone. libfaketime would be a package of Debian's, but it takes
// over many more calls (waits, timers, file times), and under it workerd hangs before it answers. The kernel is asked
// by a system call, for the C library's own function is the one replaced here.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift_seconds(void) {
  static time_t known;
  static int is_known;
  if (!is_known) {
    const char *text = getenv("CLOCK_SHIFT_SECONDS");
    known = text == NULL ? 0 : (time_t)atoll(text);
    is_known = 1;
  }
  return known;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift_seconds();
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec precise;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
