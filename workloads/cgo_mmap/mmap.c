/*
 * An mmap that logs. The executable's own definition comes before libc's, so the Go runtime's
 * calls, which go through libc in a cgo program (runtime/cgo/gcc_mmap.c), end here.
 */
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static __thread const char *log_path;
static int logged;

void log_from_here(const char *path) { log_path = path; }

void log_no_more(void) { log_path = NULL; }

int logged_count(void) { return logged; }

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	if (log_path) {
		int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
		if (log >= 0) {
			(void)!write(log, "mmap\n", 5);
			close(log);
			logged++;
		}
	}
	return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}
