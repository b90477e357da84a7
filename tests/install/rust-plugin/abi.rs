// The part of summa/abi/*.h that this plugin uses, written down by hand. Functions that it does not
// call are there as pointers: their places count. The sizes are checked when it is compiled.
#![allow(dead_code)]

use std::mem::size_of;
use std::os::raw::{c_char, c_void};

pub type Unused = *const c_void;

pub const OK: i32 = 0;
pub const E_INTERNAL: i32 = 70;
pub const E_CONFIG: i32 = 78;
pub const ENTRY_MAGIC: u32 = 0x3141_4D53;
pub const TICK_ONCE: u32 = 1;
pub const BUS_EXCLUSIVE_READERS: u32 = 4;
pub const BUS_EXCLUSIVE: u32 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub data: *const c_char,
    pub size: usize,
}

impl Str {
    pub const fn of(text: &'static str) -> Str {
        Str { data: text.as_ptr() as *const c_char, size: text.len() }
    }
    pub fn borrowed(text: &str) -> Str {
        Str { data: text.as_ptr() as *const c_char, size: text.len() }
    }
    /// # Safety
    /// The text must be valid as long as it is used, as the header of its function says.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.size == 0 {
            return &[];
        }
        std::slice::from_raw_parts(self.data as *const u8, self.size)
    }
}

#[repr(C)]
pub struct Error {
    pub struct_size: u32,
    pub status: i32,
    pub code: [c_char; 16],
    pub sqlstate: [c_char; 8],
    pub message: [c_char; 512],
    pub hint: [c_char; 256],
}

// Where its members end, to compare with the struct_size of the caller.
pub const ERROR_STATUS_END: usize = 8;
pub const ERROR_MESSAGE_END: usize = size_of::<Error>() - size_of::<[c_char; 256]>();

#[repr(C)]
pub struct Config {
    pub struct_size: u32,
    pub reserved: u32,
    pub this: *mut c_void,
    pub get: unsafe extern "C" fn(*mut c_void, Str, *mut Str) -> i32,
    pub keys: Unused,
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub this: *mut c_void,
    pub version: Str,
    pub instance: Str,
    pub get_service: unsafe extern "C" fn(*const Host, *const c_char) -> *const c_void,
}

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub reserved: u32,
    pub this: *mut c_void,
    pub configure: unsafe extern "C" fn(*mut c_void, *const Config, *mut Error) -> i32,
    pub start: unsafe extern "C" fn(*mut c_void, *mut Error) -> i32,
    pub get_extension: unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void,
    pub stop: unsafe extern "C" fn(*mut c_void, *mut Error) -> i32,
    pub destroy: unsafe extern "C" fn(*mut c_void),
}

#[repr(C)]
pub struct Entry {
    pub magic: u32,
    pub struct_size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub reserved: u32,
    pub manifest_begin: *const c_char,
    pub manifest_end: *const c_char,
    pub build: *const c_char,
    pub create: unsafe extern "C" fn(*const Host, *mut *mut Plugin, *mut Error) -> i32,
}

#[repr(C)]
pub struct Tick {
    pub struct_size: u32,
    pub flags: u32,
    pub this: *mut c_void,
    pub worker_id: Str,
    pub fence: i64,
    pub sql: *const Sql,
    pub should_stop: unsafe extern "C" fn(*const Tick) -> i32,
    pub wait: unsafe extern "C" fn(*const Tick, i64) -> i32,
}

#[repr(C)]
pub struct TickResult {
    pub struct_size: u32,
    pub backlog: u32,
    pub items: i64,
    pub wait_hint_microseconds: i64,
}

#[repr(C)]
pub struct Worker {
    pub struct_size: u32,
    pub reserved: u32,
    pub this: *mut c_void,
    pub id: Str,
    pub tick: unsafe extern "C" fn(*mut c_void, *const Tick, *mut TickResult, *mut Error) -> i32,
}

#[repr(C)]
pub struct Workers {
    pub struct_size: u32,
    pub worker_count: u32,
    pub workers: *const *const Worker,
}

#[repr(C)]
pub struct Status {
    pub struct_size: u32,
    pub reserved: u32,
    pub this: *mut c_void,
    pub status: unsafe extern "C" fn(
        *mut c_void,
        unsafe extern "C" fn(*mut c_void, Str),
        *mut c_void,
    ),
}

#[repr(C)]
pub struct SqlParameter {
    pub data: *const c_char,
    pub size: usize,
    pub oid: u32,
    pub format: i32,
}

#[repr(C)]
pub struct Sql {
    pub struct_size: u32,
    pub reserved: u32,
    pub this: *mut c_void,
    pub open: unsafe extern "C" fn(*mut c_void, Str, *mut *mut c_void, *mut Error) -> i32,
    pub close: unsafe extern "C" fn(*mut c_void),
    pub begin: unsafe extern "C" fn(*mut c_void, u32, *mut Error) -> i32,
    pub exec: unsafe extern "C" fn(
        *mut c_void,
        Str,
        *const SqlParameter,
        usize,
        i32,
        *mut *mut c_void,
        *mut Error,
    ) -> i32,
    pub exec_autocommit: Unused,
    pub copy_out: Unused,
    pub copy_in: Unused,
    pub commit: unsafe extern "C" fn(*mut c_void, *mut Error) -> i32,
    pub rollback: Unused,
    pub row_count: Unused,
    pub column_count: Unused,
    pub affected_rows: Unused,
    pub cell: Unused,
    pub column_name: Unused,
    pub column_type: Unused,
    pub free_result: Unused,
    pub result_format: Unused,
}

#[repr(C)]
pub struct Registry {
    pub struct_size: u32,
    pub reserved: u32,
    pub this: *mut c_void,
    pub find: unsafe extern "C" fn(
        *mut c_void,
        Str,
        Str,
        *mut *const c_void,
        *mut Str,
        *mut Error,
    ) -> i32,
    pub find_all: Unused,
}

#[repr(C)]
pub struct BusMessage {
    pub stream: Str,
    pub id: Str,
    pub kind: Str,
    pub key: Str,
    pub payload: Str,
    pub timestamp: Str,
    pub correlation_id: Str,
    pub position: i64,
    pub redriven: Str,
    pub note: Str,
}

#[repr(C)]
pub struct BusDelivery {
    pub message: BusMessage,
    pub delivery_id: Str,
    pub delivery_count: i64,
    pub entered_at_microseconds: i64,
    pub recovered: u32,
    pub partition: u32,
}

#[repr(C)]
pub struct BusSubscriptionOptions {
    pub struct_size: u32,
    pub flags: u32,
    pub stream: Str,
    pub group: Str,
    pub consumer: Str,
}

#[repr(C)]
pub struct Bus {
    pub struct_size: u32,
    pub capabilities: u32,
    pub this: *mut c_void,
    pub max_message_bytes: u64,
    pub publish: Unused,
    pub subscribe: unsafe extern "C" fn(
        *mut c_void,
        *const BusSubscriptionOptions,
        *mut *mut c_void,
        *mut Error,
    ) -> i32,
    pub poll: unsafe extern "C" fn(
        *mut c_void,
        usize,
        i64,
        *mut *const BusDelivery,
        *mut usize,
        *mut Error,
    ) -> i32,
    pub ack: Unused,
    pub unsubscribe: unsafe extern "C" fn(*mut c_void),
    pub ping: Unused,
    pub read: Unused,
    pub scan: Unused,
    pub horizon: Unused,
    pub dead_letters: Unused,
    pub redrive: Unused,
    pub discard: Unused,
    pub claim_after_microseconds: i64,
    pub renew: Unused,
    pub nack: Unused,
    pub dead_letter: Unused,
    pub settle: unsafe extern "C" fn(*mut c_void, Str, *mut Error) -> i32,
    pub streams: Unused,
    pub groups: Unused,
    pub trim: Unused,
    pub seek: Unused,
    pub create_group: Unused,
    pub delete_group: Unused,
    pub revoked: unsafe extern "C" fn(
        *mut c_void,
        *mut *const u32,
        *mut usize,
        *mut Error,
    ) -> i32,
}

// docs/abi.md, "Sizes".
const fn check(size: usize, wanted: usize) {
    assert!(size == wanted, "a struct has another size than in the headers");
}
const _: () = {
    check(size_of::<Error>(), 800);
    check(ERROR_MESSAGE_END, 544);
    check(size_of::<Config>(), 32);
    check(size_of::<Host>(), 56);
    check(size_of::<Plugin>(), 56);
    check(size_of::<Entry>(), 48);
    check(size_of::<Tick>(), 64);
    check(size_of::<TickResult>(), 24);
    check(size_of::<Worker>(), 40);
    check(size_of::<Workers>(), 16);
    check(size_of::<Status>(), 24);
    check(size_of::<SqlParameter>(), 24);
    check(size_of::<Sql>(), 152);
    check(size_of::<Registry>(), 32);
    check(size_of::<BusMessage>(), 152);
    check(size_of::<BusDelivery>(), 192);
    check(size_of::<BusSubscriptionOptions>(), 56);
    check(size_of::<Bus>(), 216);
};
