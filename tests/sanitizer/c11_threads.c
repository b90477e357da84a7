/* Threads and locks of C11 by those of POSIX, for programs under ThreadSanitizer.
 *
 * ThreadSanitizer knows a thread only if pthread_create() began it, and a lock only if it was taken by
 * pthread_mutex_lock(). The functions of <threads.h> reach neither: a thread of librdkafka crashes at its
 * first call of a function that ThreadSanitizer has replaced. These functions take their place, and reach
 * both. glibc declares the types of <threads.h> to be those of <pthread.h>. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

struct start {
  thrd_start_t function;
  void* argument;
};

static int status_of(int error) {
  switch (error) {
    case 0:
      return thrd_success;
    case EBUSY:
      return thrd_busy;
    case ETIMEDOUT:
      return thrd_timedout;
    case ENOMEM:
    case EAGAIN:
      return thrd_nomem;
    default:
      return thrd_error;
  }
}

static void* run(void* argument) {
  const struct start start = *(struct start*)argument;
  free(argument);
  return (void*)(long)start.function(start.argument);
}

int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  struct start* start = malloc(sizeof *start);
  if (start == NULL) return thrd_nomem;
  *start = (struct start){function, argument};
  const int error = pthread_create(thread, NULL, run, start);
  if (error != 0) free(start);
  return status_of(error);
}

int thrd_join(thrd_t thread, int* result) {
  void* value = NULL;
  const int error = pthread_join(thread, &value);
  if (result != NULL) *result = (int)(long)value;
  return status_of(error);
}

int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if (type & mtx_recursive) pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  const int error = pthread_mutex_init((pthread_mutex_t*)mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return status_of(error);
}

void mtx_destroy(mtx_t* mutex) { pthread_mutex_destroy((pthread_mutex_t*)mutex); }

int mtx_lock(mtx_t* mutex) { return status_of(pthread_mutex_lock((pthread_mutex_t*)mutex)); }

int mtx_unlock(mtx_t* mutex) { return status_of(pthread_mutex_unlock((pthread_mutex_t*)mutex)); }

int cnd_init(cnd_t* condition) {
  return status_of(pthread_cond_init((pthread_cond_t*)condition, NULL));
}

void cnd_destroy(cnd_t* condition) { pthread_cond_destroy((pthread_cond_t*)condition); }

int cnd_signal(cnd_t* condition) {
  return status_of(pthread_cond_signal((pthread_cond_t*)condition));
}

int cnd_broadcast(cnd_t* condition) {
  return status_of(pthread_cond_broadcast((pthread_cond_t*)condition));
}

int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return status_of(pthread_cond_wait((pthread_cond_t*)condition, (pthread_mutex_t*)mutex));
}

int cnd_timedwait(cnd_t* restrict condition, mtx_t* restrict mutex,
                  const struct timespec* restrict until) {
  return status_of(
      pthread_cond_timedwait((pthread_cond_t*)condition, (pthread_mutex_t*)mutex, until));
}
