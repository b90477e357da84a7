// LD_PRELOAD: gives a process clocks that are moved by a span which a test changes while it runs. The
// file CLOCK_SHIFT_FILE holds two 64-bit numbers: microseconds that the wall clock is moved by (what
// an administrator or NTP does), and microseconds that CLOCK_BOOTTIME is moved by (what a suspended
// machine does: CLOCK_MONOTONIC stands still meanwhile).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

enum { kWall, kBoot, kCount };
static const int64_t kMicrosecondsPerSecond = 1000000;

static const _Atomic int64_t* shift;  // shared with the file; NULL: no clock is moved
static int (*real_clock_gettime)(clockid_t, struct timespec*);

__attribute__((constructor)) static void Load(void) {
  *(void**)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  const char* path = getenv("CLOCK_SHIFT_FILE");
  const int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void* mapped = mmap(NULL, kCount * sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) shift = mapped;
}

static int64_t ShiftOf(clockid_t id) {
  if (shift == NULL) return 0;
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI) return shift[kWall];
  return id == CLOCK_BOOTTIME || id == CLOCK_BOOTTIME_ALARM ? shift[kBoot] : 0;
}

EXPORTED int clock_gettime(clockid_t id, struct timespec* now) {
  if (real_clock_gettime == NULL) *(void**)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real_clock_gettime(id, now);
  if (result != 0) return result;
  const int64_t moved = ShiftOf(id) + now->tv_nsec / 1000;
  int64_t seconds = moved / kMicrosecondsPerSecond;
  int64_t rest = moved % kMicrosecondsPerSecond;
  if (rest < 0) {
    rest += kMicrosecondsPerSecond;
    --seconds;
  }
  now->tv_sec += seconds;
  now->tv_nsec = rest * 1000 + now->tv_nsec % 1000;
  return 0;
}

EXPORTED int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  (void)zone;
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

EXPORTED time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

EXPORTED int timespec_get(struct timespec* now, int base) {
  if (base != TIME_UTC) return 0;
  clock_gettime(CLOCK_REALTIME, now);
  return base;
}
