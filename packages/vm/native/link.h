/* The numbers of docs/vmd-link.md. Prefixes: K_ frame kinds, F_ field tags, OP_ file operations. */
#ifndef LINK_H
#define LINK_H

enum frame_kind {
  /* to the spawner */
  K_CREATE = 0x01,
  K_WATCH = 0x02,
  K_KILL = 0x03,
  K_SNAPSHOT = 0x08,
  /* to a keeper */
  K_LAYER = 0x09,
  K_ADJUST = 0x0a,
  /* to PID 1 */
  K_CONFIG = 0x04,
  K_HELLO = 0x05,
  K_PREPARE = 0x06,
  K_KEEP = 0x07,
  K_EXEC = 0x10,
  K_DATA_IN = 0x11,
  K_EOF_IN = 0x12,
  K_ACK = 0x13,
  K_SIGNAL = 0x14,
  K_RELEASE = 0x15,
  K_TABLE = 0x16,
  K_PING = 0x18,
  K_PROCESSES = 0x19,
  K_SHUTDOWN = 0x1a,
  K_RESUME = 0x1b,
  K_READ_LOG = 0x1c,
  K_FILE = 0x20,
  K_RESIZE = 0x30,
  K_ATTACH = 0x31,
  K_CONNECT = 0x40,
  K_LISTEN = 0x41,
  K_TAKE = 0x42,
  K_REFUSE = 0x43,
  /* from PID 1 and the spawner */
  K_LAUNCHED = 0x80,
  K_READY = 0x81,
  K_FAIL = 0x82,
  K_GONE = 0x83,
  K_LIVE = 0x84,
  K_MEMORY = 0x86,
  K_END = 0x85,
  K_SNAPPED = 0x8a,
  K_ADJUSTED = 0x8c,
  K_COPIED = 0x8b,
  K_STARTED = 0x90,
  K_IN_ACK = 0x91,
  K_OUT = 0x92,
  K_ERR = 0x93,
  K_EXIT = 0x95,
  K_TABLE_ENTRY = 0x96,
  K_RESUMED = 0x97,
  K_PONG = 0x98,
  K_PROCESS_LIST = 0x99,
  K_FILE_RESULT = 0xa0,
  K_ATTACHED = 0xb0,
  K_CONNECTED = 0xc0,
  K_LISTENING = 0xc1,
  K_INCOMING = 0xc2,
};

enum field_tag {
  /* CREATE (KILL: F_VM_ID) */
  F_VM_ID = 1,
  F_SECRET = 2,
  F_EPOCH = 3,
  F_SOCKET_PATH = 4,
  F_HOST_UID = 5,
  F_HOST_GID = 6,
  F_ADOPT_GRACE_MS = 7,
  F_CGROUP = 8,
  /* SNAPSHOT: also F_VM_ID, F_SOCKET_PATH, F_GENERATION, F_PART */
  F_COPY_TO = 9,
  F_SNAPSHOT_FLAGS = 10,
  /* CONFIG */
  F_HOSTNAME = 20,
  F_ROOT_BYTES = 21,
  F_ROOT_INODES = 22,
  F_DISK_BYTES = 23,
  F_DISK_INODES = 24,
  F_SHM_BYTES = 25,
  F_SYSTEM = 26,
  F_LINK = 27,
  F_FILE = 28,
  F_MOUNT = 29,
  F_OPEN_FILES = 30,
  F_PIDS = 31,
  F_DISK = 34,
  F_GENERATION = 35,
  F_LAYER = 36,
  F_PART = 37,
  F_PROFILE = 32,
  F_PROCESSORS = 33,
  F_WATCHES = 38,
  F_COVER = 39,
  /* EXEC */
  F_ID = 40,
  F_ARG = 41,
  F_ENV = 42,
  F_CWD = 43,
  F_FLAGS = 44,
  F_WINDOW = 45, /* EXEC and FILE */
  F_TIMEOUT_MS = 46,
  F_STDIN_WINDOW = 47,
  F_COLS = 48,
  F_ROWS = 49,
  /* FILE */
  F_OP = 60,
  F_PATH = 61,
  F_PATH2 = 62,
  F_MODE = 63,
  F_LENGTH = 64,
  F_START = 65,
  F_FILE_FLAGS = 66,
  F_STAT = 80,
};

/* u8 kind and u8 flags of F_MOUNT */
enum mount_kind { MOUNT_HOST_RO = 0, MOUNT_HOST_RW = 1, MOUNT_MEMORY = 2 };
enum mount_flag { MOUNT_FLAG_MAP_OWNER = 1 };

enum snapshot_flag { SNAPSHOT_SWITCH = 1, SNAPSHOT_ON_DISK = 2, SNAPSHOT_FLATTEN = 4, SNAPSHOT_IMAGE = 8 };
enum snapped { SNAPPED_SWITCHED = 0, SNAPPED_COPYING = 1 };
/* F_PROFILE */
enum profile { PROFILE_STANDARD = 0, PROFILE_DEBUG = 1 };

enum channel { CHANNEL_STDOUT = 1, CHANNEL_STDERR = 2 };
/* EXEC_ATTACHMENT only in a TABLE_ENTRY. */
enum exec_flag { EXEC_STDIN_PIPE = 1, EXEC_LOGGED = 2, EXEC_TERMINAL = 4, EXEC_ATTACHMENT = 8, EXEC_BUILTIN = 16 };
enum attach_flag { ATTACH_HOLDS = 1 };
enum signal_scope { SCOPE_PROCESS = 0, SCOPE_GROUP = 1, SCOPE_SESSION = 2, SCOPE_VM = 3 };
enum exit_cause { CAUSE_EXITED = 0, CAUSE_SIGNALED = 1 };
enum exit_reason { REASON_OWN = 0, REASON_TIMED_OUT = 1 };

enum file_op {
  OP_STAT = 1,
  OP_LSTAT = 2,
  OP_READDIR = 3,
  OP_MKDIR = 4,
  OP_RM = 5,
  OP_RENAME = 6,
  OP_COPY = 7,
  OP_SYMLINK = 8,
  OP_READLINK = 9,
  OP_CHMOD = 10,
  OP_TRUNCATE = 11,
  OP_READ = 12,
  OP_WRITE = 13,
  OP_UTIMES = 14,
  OP_REALPATH = 15,
  OP_SPACE = 16,
};

enum file_flag {
  FILE_RECURSIVE = 1,
  FILE_FORCE = 2,
  FILE_NO_OVERWRITE = 4,
  FILE_APPEND = 8,
  FILE_EXCLUSIVE = 16,
  FILE_KEEP = 32,
};

#endif
