// A plugin in Rust with its standard library alone: a worker that counts its runs under its lease, and
// a consumer of a bus with the calls that every bus has. The same as ../c-plugin.
#[path = "abi.rs"]
mod abi;

use abi::*;
use std::os::raw::{c_char, c_void};
use std::panic::catch_unwind;
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};
use std::sync::Mutex;

static HOST: AtomicPtr<Host> = AtomicPtr::new(ptr::null_mut());
static STREAM: Mutex<String> = Mutex::new(String::new());
static BEATS: AtomicI64 = AtomicI64::new(0);
static MESSAGES: AtomicI64 = AtomicI64::new(0);

// A status other than OK, which is in the caller's Error already, or is given with its text.
enum Failure {
    Filled(i32),
    Own(i32, &'static str),
}
type Outcome<T> = Result<T, Failure>;

fn ok(status: i32) -> Outcome<()> {
    if status == OK {
        Ok(())
    } else {
        Err(Failure::Filled(status))
    }
}

// Runs `body`. No panic crosses the boundary.
unsafe fn guard(error: *mut Error, body: impl FnOnce() -> Outcome<()> + std::panic::UnwindSafe) -> i32 {
    let (status, text) = match catch_unwind(body) {
        Ok(Ok(())) => return OK,
        Ok(Err(Failure::Filled(status))) => return status,
        Ok(Err(Failure::Own(status, text))) => (status, text),
        Err(_) => (E_INTERNAL, "it panicked"),
    };
    // Only what the caller knows is written: its struct may be older.
    let known = (*error).struct_size as usize;
    if known >= ERROR_STATUS_END {
        (*error).status = status;
    }
    if known >= ERROR_MESSAGE_END {
        let message = &mut (*error).message;
        let size = text.len().min(message.len() - 1);
        ptr::copy_nonoverlapping(text.as_ptr() as *const c_char, message.as_mut_ptr(), size);
        message[size] = 0;
    }
    status
}

unsafe fn service<T>(id: &'static str) -> Outcome<&'static T> {
    debug_assert!(id.ends_with('\0'));
    let host = HOST.load(Ordering::Acquire);
    let found = ((*host).get_service)(host, id.as_ptr() as *const c_char) as *const T;
    found.as_ref().ok_or(Failure::Own(E_INTERNAL, "the host lacks a service"))
}

const OID_INT8: u32 = 20;
const OID_TEXT: u32 = 25;

// Binary: the bytes of a text as they are.
fn text(value: Str) -> SqlParameter {
    let data = if value.size == 0 { b"".as_ptr() as *const c_char } else { value.data };
    SqlParameter { data, size: value.size, oid: OID_TEXT, format: 1 }
}

fn integer(bytes: &[u8; 8]) -> SqlParameter {
    SqlParameter { data: bytes.as_ptr() as *const c_char, size: 8, oid: OID_INT8, format: 1 }
}

// A session; what is open in it is rolled back when it goes.
struct Session<'a> {
    sql: &'a Sql,
    handle: *mut c_void,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        unsafe { (self.sql.close)(self.handle) }
    }
}

// One statement in a transaction of its own, which is committed only under the lease.
unsafe fn execute(
    tick: &Tick,
    statement: &'static str,
    parameters: &[SqlParameter],
    error: *mut Error,
) -> Outcome<()> {
    let sql = &*tick.sql;
    let mut session = Session { sql, handle: ptr::null_mut() };
    ok((sql.open)(sql.this, Str::of("ledger"), &mut session.handle, error))?;
    ok((sql.begin)(session.handle, 0, error))?;
    ok((sql.exec)(
        session.handle,
        Str::of(statement),
        parameters.as_ptr(),
        parameters.len(),
        1,
        ptr::null_mut(),
        error,
    ))?;
    ok((sql.commit)(session.handle, error))
}

unsafe extern "C" fn beat(
    _: *mut c_void,
    tick: *const Tick,
    result: *mut TickResult,
    error: *mut Error,
) -> i32 {
    guard(error, || {
        let tick = &*tick;
        let fence = tick.fence.to_be_bytes();
        execute(
            tick,
            "INSERT INTO plain_rust.beat AS b VALUES ($1, 1, $2) ON CONFLICT (worker) DO UPDATE \
             SET beats = b.beats + 1, fence = excluded.fence",
            &[text(tick.worker_id), integer(&fence)],
            error,
        )?;
        BEATS.fetch_add(1, Ordering::Relaxed);
        (*result).items = 1;
        (*result).backlog = 0;
        (*result).wait_hint_microseconds = -1;
        Ok(())
    })
}

// The reader of a group, until it goes.
struct Subscription<'a> {
    bus: &'a Bus,
    handle: *mut c_void,
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        unsafe { (self.bus.unsubscribe)(self.handle) }
    }
}

impl Subscription<'_> {
    // Everything of one poll; settled one by one, so that what was kept does not come again.
    unsafe fn handle(&self, tick: &Tick, error: *mut Error) -> Outcome<usize> {
        let (mut revoked, mut revoked_count) = (ptr::null(), 0);
        // Nothing is held from poll to poll, so it does not matter which.
        ok((self.bus.revoked)(self.handle, &mut revoked, &mut revoked_count, error))?;
        let wait = if tick.flags & TICK_ONCE != 0 { 0 } else { 100_000 };
        let (mut first, mut count) = (ptr::null(), 0);
        ok((self.bus.poll)(self.handle, 100, wait, &mut first, &mut count, error))?;
        for i in 0..count {
            let delivery: &BusDelivery = &*first.add(i);
            let message = &delivery.message;
            // The effect of a message may be repeated: delivery is at least once.
            execute(
                tick,
                "INSERT INTO plain_rust.message (id, key, type) VALUES ($1, $2, $3) \
                 ON CONFLICT DO NOTHING",
                &[text(message.id), text(message.key), text(message.kind)],
                error,
            )?;
            ok((self.bus.settle)(self.handle, delivery.delivery_id, error))?;
            MESSAGES.fetch_add(1, Ordering::Relaxed);
        }
        Ok(count)
    }
}

unsafe extern "C" fn read(
    _: *mut c_void,
    tick: *const Tick,
    result: *mut TickResult,
    error: *mut Error,
) -> i32 {
    guard(error, || {
        let tick = &*tick;
        let registry: &Registry = service("summa.registry/1\0")?;
        let (mut found, mut provider) = (ptr::null(), Str::of(""));
        ok((registry.find)(
            registry.this,
            Str::of("summa.bus/1"),
            Str::of("bus"),
            &mut found,
            &mut provider,
            error,
        ))?;
        let bus = &*(found as *const Bus);
        let exclusive = bus.capabilities & BUS_EXCLUSIVE_READERS != 0;
        let stream = STREAM.lock().map_err(|_| Failure::Own(E_INTERNAL, "poisoned"))?.clone();
        let options = BusSubscriptionOptions {
            struct_size: std::mem::size_of::<BusSubscriptionOptions>() as u32,
            flags: if exclusive { BUS_EXCLUSIVE } else { 0 },
            stream: Str::borrowed(&stream),
            group: Str::of("plain-rust"),
            consumer: Str::of("plain-rust"),
        };
        let mut subscription = Subscription { bus, handle: ptr::null_mut() };
        let subscribed = (bus.subscribe)(bus.this, &options, &mut subscription.handle, error);
        if subscribed != OK {
            std::mem::forget(subscription); // there is none
            return ok(subscribed);
        }
        let before = MESSAGES.load(Ordering::Relaxed);
        while (tick.should_stop)(tick) == 0 && subscription.handle(tick, error)? > 0 {}
        (*result).items = MESSAGES.load(Ordering::Relaxed) - before;
        (*result).backlog = 0;
        (*result).wait_hint_microseconds = -1;
        Ok(())
    })
}

unsafe extern "C" fn configure(_: *mut c_void, config: *const Config, error: *mut Error) -> i32 {
    guard(error, || {
        let mut value = Str::of("");
        if ((*config).get)((*config).this, Str::of("stream"), &mut value) == 0 {
            return Err(Failure::Own(E_CONFIG, "stream has no value"));
        }
        let text = String::from_utf8_lossy(value.bytes()).into_owned();
        *STREAM.lock().map_err(|_| Failure::Own(E_INTERNAL, "poisoned"))? = text;
        Ok(())
    })
}

unsafe extern "C" fn nothing(_: *mut c_void, _: *mut Error) -> i32 {
    OK
}
unsafe extern "C" fn destroy(_: *mut c_void) {}

// Called from any thread.
unsafe extern "C" fn write_status(
    _: *mut c_void,
    write: unsafe extern "C" fn(*mut c_void, Str),
    result: *mut c_void,
) {
    let (beats, messages) = (BEATS.load(Ordering::Relaxed), MESSAGES.load(Ordering::Relaxed));
    let text = format!("{{\"beats\":{},\"messages\":{}}}", beats, messages);
    write(result, Str::borrowed(&text));
}

// Constant tables, which any thread may read.
#[repr(transparent)]
pub struct Shared<T>(T);
unsafe impl<T> Sync for Shared<T> {}

const fn size<T>() -> u32 {
    std::mem::size_of::<T>() as u32
}
const fn worker(
    id: &'static str,
    tick: unsafe extern "C" fn(*mut c_void, *const Tick, *mut TickResult, *mut Error) -> i32,
) -> Shared<Worker> {
    Shared(Worker {
        struct_size: size::<Worker>(),
        reserved: 0,
        this: ptr::null_mut(),
        id: Str::of(id),
        tick,
    })
}
static BEAT: Shared<Worker> = worker("plain-rust-beat", beat);
static READER: Shared<Worker> = worker("plain-rust-reader", read);
static WORKER_LIST: Shared<[*const Worker; 2]> = Shared([&BEAT.0, &READER.0]);
static WORKERS: Shared<Workers> = Shared(Workers {
    struct_size: size::<Workers>(),
    worker_count: 2,
    workers: &WORKER_LIST.0 as *const *const Worker,
});
static STATUS: Shared<Status> = Shared(Status {
    struct_size: size::<Status>(),
    reserved: 0,
    this: ptr::null_mut(),
    status: write_status,
});

unsafe extern "C" fn extension(_: *mut c_void, id: *const c_char) -> *const c_void {
    match std::ffi::CStr::from_ptr(id).to_bytes() {
        b"summa.worker/1" => &WORKERS.0 as *const Workers as *const c_void,
        b"summa.status/1" => &STATUS.0 as *const Status as *const c_void,
        _ => ptr::null(),
    }
}

static PLUGIN: Shared<Plugin> = Shared(Plugin {
    struct_size: size::<Plugin>(),
    reserved: 0,
    this: ptr::null_mut(),
    configure,
    start: nothing,
    get_extension: extension,
    stop: nothing,
    destroy,
});

unsafe extern "C" fn create(host: *const Host, out: *mut *mut Plugin, _: *mut Error) -> i32 {
    HOST.store(host as *mut Host, Ordering::Release);
    *out = &PLUGIN.0 as *const Plugin as *mut Plugin;
    OK
}

const MANIFEST_TEXT: &[u8] = include_bytes!("plugin.yaml");
const STEP_TEXT: &str = concat!(
    "schema/ledger/001_tables.sql\0",
    include_str!("schema/ledger/001_tables.sql"),
    "\0"
);

const fn bytes_of<const SIZE: usize>(text: &[u8]) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let mut i = 0;
    while i < SIZE {
        bytes[i] = text[i];
        i += 1;
    }
    bytes
}

// Sections of the file, which the host reads without running any code.
#[used]
#[link_section = ".summa.manifest"]
static MANIFEST: [u8; MANIFEST_TEXT.len()] = bytes_of(MANIFEST_TEXT);
#[used]
#[link_section = ".summa.schema"]
static SCHEMA: [u8; STEP_TEXT.len()] = bytes_of(STEP_TEXT.as_bytes());

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static summa_plugin_v1: Shared<Entry> = Shared(Entry {
    magic: ENTRY_MAGIC,
    struct_size: size::<Entry>(),
    abi_major: 1,
    abi_minor: 0,
    reserved: 0,
    manifest_begin: MANIFEST.as_ptr() as *const c_char,
    manifest_end: unsafe { MANIFEST.as_ptr().add(MANIFEST_TEXT.len()) } as *const c_char,
    build: b"Rust\0".as_ptr() as *const c_char,
    create,
});
