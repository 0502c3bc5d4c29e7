/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a file descriptor is, and the path of the file behind it.
 *
 * Decided by the file system first and the mode second: anonymous inodes (eventfd,
 * epoll, ...) have had mode 0, and a pidfd looks like a regular file. Kernel objects are
 * read without locks, so a path can be a mix of two names during a rename.
 */
#pragma once

#include <bpf/bpf_core_read.h>

#include "bpf/contract/events.h"
#include "file_of.bpf.h"
#include "unknown_zero.bpf.h"

#define MAGIC_ANON_INODE 0x09041934
#define MAGIC_PIPE 0x50495045
#define MAGIC_SOCKET 0x534f434b
#define MAGIC_PIDFD 0x50494446
#define MAGIC_TMPFS 0x01021994

#define MODE_FORMAT 0170000
#define MODE_SOCKET 0140000
#define MODE_BLOCK 0060000
#define MODE_DIRECTORY 0040000
#define MODE_CHARACTER 0020000
#define MODE_PIPE 0010000

#define MAJOR_TTY 4
#define MAJOR_TTY_AUX 5 /* minor 0 tty, 1 console, 2 ptmx */
#define MAJOR_PTS_FIRST 136
#define MAJOR_PTS_LAST 143
#define DEVICE_MAJOR(rdev) ((rdev) >> 20) /* the kernel's own dev_t */

/* A memfd is a tmpfs file whose dentry is called "memfd:...". */
static __always_inline bool is_memfd(struct file *file)
{
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char start[6] = {};

	bpf_probe_read_kernel(start, sizeof(start), name);
	return start[0] == 'm' && start[1] == 'e' && start[2] == 'm' && start[3] == 'f' &&
	       start[4] == 'd' && start[5] == ':';
}

static __always_inline __u8 descriptor_of_mode(struct file *file, __u64 magic, __u32 mode,
					       __u32 rdev)
{
	__u32 major = DEVICE_MAJOR(rdev);

	switch (magic) {
	case MAGIC_ANON_INODE:
		return DESCRIPTOR_EVENT;
	case MAGIC_PIPE:
		return DESCRIPTOR_PIPE;
	case MAGIC_SOCKET:
		return DESCRIPTOR_SOCKET;
	case MAGIC_PIDFD:
		return DESCRIPTOR_EVENT;
	}
	switch (mode & MODE_FORMAT) {
	case MODE_SOCKET:
		return DESCRIPTOR_SOCKET;
	case MODE_PIPE:
		return DESCRIPTOR_PIPE;
	case MODE_DIRECTORY:
		return DESCRIPTOR_DIRECTORY;
	case MODE_BLOCK:
		return DESCRIPTOR_DEVICE;
	case MODE_CHARACTER:
		if (major == MAJOR_TTY || major == MAJOR_TTY_AUX ||
		    (major >= MAJOR_PTS_FIRST && major <= MAJOR_PTS_LAST))
			return DESCRIPTOR_TERMINAL;
		return DESCRIPTOR_DEVICE;
	}
	return magic == MAGIC_TMPFS && is_memfd(file) ? DESCRIPTOR_MEMORY : DESCRIPTOR_FILE;
}

/* enum descriptor_kind of a descriptor of the running process. */
__weak __noinline int descriptor_kind_of(__u32 fd)
{
	struct file *file = file_of(fd);
	__u64 magic;
	__u32 mode, rdev;

	if (!file)
		return DESCRIPTOR_CLOSED;
	if (bpf_rdonly_cast) {
		struct file *cast = bpf_rdonly_cast(file, bpf_core_type_id_kernel(struct file));
		struct inode *inode = cast->f_inode;

		magic = inode->i_sb->s_magic;
		mode = inode->i_mode;
		rdev = inode->i_rdev;
	} else {
		struct inode *inode = BPF_CORE_READ(file, f_inode);

		magic = BPF_CORE_READ(inode, i_sb, s_magic);
		mode = BPF_CORE_READ(inode, i_mode);
		rdev = BPF_CORE_READ(inode, i_rdev);
	}
	return descriptor_of_mode(file, magic, mode, rdev);
}

/*
 * The class of a file call, given what its descriptor is: see userspace/attribute/. A
 * table and not a switch, so that the verifier has one path and not ten from here on.
 */
static const __u8 class_of_descriptor[16] = {
	[DESCRIPTOR_UNKNOWN] = CALL_CLASS_FILE,
	[DESCRIPTOR_FILE] = CALL_CLASS_FILE,
	[DESCRIPTOR_DIRECTORY] = CALL_CLASS_FILE,
	[DESCRIPTOR_DEVICE] = CALL_CLASS_FILE,
	[DESCRIPTOR_SOCKET] = CALL_CLASS_NETWORK,
	[DESCRIPTOR_MEMORY] = CALL_CLASS_MEMORY,
	[DESCRIPTOR_PIPE] = CALL_CLASS_OTHER,
	[DESCRIPTOR_EVENT] = CALL_CLASS_OTHER,
	[DESCRIPTOR_TERMINAL] = CALL_CLASS_OTHER,
	[DESCRIPTOR_CLOSED] = CALL_CLASS_OTHER,
};

static __always_inline __u8 refine_class(__u8 call_class, __u8 kind)
{
	return call_class == CALL_CLASS_FILE ? class_of_descriptor[kind & 15] : call_class;
}

/* ---- paths ---- */

#define PATH_BUFFER_BYTES 4096
#define PATH_COMPONENT_BYTES 256
#define PATH_DEPTH_MAX 32
#define PATH_CUT_BYTES 3 /* dots, where the beginning does not fit */

struct path_buffer {
	char text[PATH_BUFFER_BYTES + PATH_COMPONENT_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct path_buffer);
} path_buffers __weak SEC(".maps");

struct path_walk {
	struct dentry *dentry;
	struct vfsmount *mount;
	struct dentry *root; /* where the process's own tree starts: a container, a chroot */
	struct vfsmount *root_mount;
	struct path_buffer *buffer;
	__u32 start;	/* of the text so far: components are written backwards */
	__u32 is_whole; /* up to the root */
};

/* The mount that a vfsmount is embedded in (fs/mount.h). */
static __always_inline struct mount *real_mount(struct vfsmount *mount)
{
	return (void *)mount - bpf_core_field_offset(struct mount, mnt);
}

static long path_component(__u32 depth, struct path_walk *walk)
{
	/* Plain locals: a core read through `walk` would relocate our own struct too. */
	struct dentry *dentry = walk->dentry;
	struct vfsmount *at = walk->mount;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

	if (dentry == walk->root && at == walk->root_mount) {
		walk->is_whole = 1;
		return 1;
	}
	if (dentry == BPF_CORE_READ(at, mnt_root) || dentry == parent) {
		struct mount *mount = real_mount(at);
		struct mount *above = BPF_CORE_READ(mount, mnt_parent);

		if (mount == above) {
			walk->is_whole = 1;
			return 1;
		}
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = &above->mnt;
		return 0;
	}

	struct qstr name = BPF_CORE_READ(dentry, d_name);
	__u32 length = name.len & (PATH_COMPONENT_BYTES - 1);
	__u32 start = walk->start - length - 1;

	if (start < PATH_CUT_BYTES || start >= PATH_BUFFER_BYTES) /* none left, or wrapped */
		return 1;
	walk->buffer->text[start] = '/';
	bpf_probe_read_kernel(&walk->buffer->text[(start + 1) & (PATH_BUFFER_BYTES - 1)], length,
			      name.name);
	walk->start = start;
	walk->dentry = parent;
	return 0;
}

/*
 * Writes the path behind a descriptor to the CPU's buffer, as the process sees it; of one that
 * is too long or too deep the end, after dots; for what has no path (pipes, sockets, anonymous
 * inodes) the name of its dentry. Returns where in the buffer it starts. Called where
 * preemption is off.
 */
__weak __noinline int find_descriptor_path(__u32 fd)
{
	__u32 zero = 0;
	struct path_buffer *buffer = bpf_map_lookup_elem(&path_buffers, &zero);
	struct file *file = file_of(fd);
	struct fs_struct *own = bpf_get_current_task_btf()->fs;

	if (!buffer)
		return 0;
	buffer->text[PATH_BUFFER_BYTES - 1] = 0;
	if (!file)
		return PATH_BUFFER_BYTES - 1;

	struct path_walk walk = {
		.dentry = BPF_CORE_READ(file, f_path.dentry),
		.mount = BPF_CORE_READ(file, f_path.mnt),
		.root = own->root.dentry,
		.root_mount = own->root.mnt,
		.buffer = buffer,
		.start = PATH_BUFFER_BYTES - 1 + mapscope_unknown_zero,
	};

	bpf_loop(PATH_DEPTH_MAX, path_component, &walk, 0);
	if (walk.start == PATH_BUFFER_BYTES - 1) {
		walk.start = 0;
		bpf_probe_read_kernel_str(buffer->text, PATH_COMPONENT_BYTES,
					  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	} else if (!walk.is_whole) {
		walk.start -= PATH_CUT_BYTES;
		if (walk.start < PATH_BUFFER_BYTES)
			__builtin_memset(&buffer->text[walk.start], '.', PATH_CUT_BYTES);
	}
	return walk.start;
}

static __always_inline void write_descriptor_path(__u32 fd, char *path)
{
	__u32 zero = 0, start = find_descriptor_path(fd);
	struct path_buffer *buffer = bpf_map_lookup_elem(&path_buffers, &zero);

	if (buffer)
		bpf_probe_read_kernel_str(path, EVENT_PATH_BYTES,
					  &buffer->text[start & (PATH_BUFFER_BYTES - 1)]);
}
