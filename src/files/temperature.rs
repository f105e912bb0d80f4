//! Hot, warm and cold: who answers a request, the loop or a helper.
//!
//! ```text
//!  loop     hot   in the cache and fresh: the reply, at once
//!           warm  a local disk, and all names and content in memory: opened or
//!                 compared here, by calls that fail rather than wait
//!             | else
//!  helper   cold  a try that may wait; what it finds goes to the inbox
//!             |
//!  loop     the next request takes the inbox into the cache
//! ```

use super::cache::Cache;
use super::resource::{Content, Resource, Stamp};
use super::serve::{Known, Shelf, Site, Stop, Visit, Wait, respond, wanted};
use super::variant;
use crate::app::{Reply, offload_now};
use crate::http::{Lane, Method, Request, Response, Status};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

/// News for the cache that wait for the loop. More than these are lost: what was
/// read is read again, what was changed is seen when it is no longer fresh.
const NEWS_MAX: usize = 256;

/// What the loop should know.
#[derive(Debug)]
enum News {
    /// A file was read, or found as it was, at that time.
    Read(Box<str>, Arc<Resource>, Instant),
    /// What is at this path is another thing now.
    Changed(Box<str>),
}

/// The helpers' end of the inbox.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    news: SyncSender<News>,
    /// Whether there may be any: asked for each request.
    bell: Arc<AtomicBool>,
}

/// The loop's end.
#[derive(Debug)]
pub(super) struct Inbox {
    news: Receiver<News>,
    bell: Arc<AtomicBool>,
}

pub(super) fn mailbox() -> (Outbox, Inbox) {
    let (sender, receiver) = sync_channel(NEWS_MAX);
    let bell = Arc::new(AtomicBool::new(false));
    let outbox = Outbox { news: sender, bell: Arc::clone(&bell) };
    (outbox, Inbox { news: receiver, bell })
}

impl Outbox {
    /// What is at this path within the site was replaced, added or removed: the
    /// next request is to see it.
    pub(super) fn changed(&self, path: &str) {
        self.tell(News::Changed(path.into()));
    }

    fn tell(&self, news: News) {
        // If the inbox is full or gone, so be it: see NEWS_MAX.
        let _ = self.news.try_send(news);
        self.bell.store(true, Ordering::Release);
    }
}

/// The handler for `GET`; the inbox is the other end of the site's outbox.
pub(super) fn handler(site: Arc<Site>, inbox: Inbox) -> impl Fn(&mut Request) -> Reply + 'static {
    let options = &site.options;
    let files = options.cache_files.min(descriptors() / FILES_PART);
    let cache = Cache::new(options.cache_bytes, files, options.fresh);
    let desk = Desk { cache: RefCell::new(cache), inbox };
    move |request: &mut Request| {
        if desk.inbox.bell.load(Ordering::Acquire) {
            desk.take_news();
        }
        match desk.hot(&site, request) {
            Some(response) => response.into(),
            None => desk.warm(&site, request),
        }
    }
}

/// Of the descriptors that the process may have, the cache takes one in so many
/// at most: the rest is for clients.
const FILES_PART: usize = 8;

fn descriptors() -> usize {
    use rustix::process::{Resource, getrlimit};
    // A server raises its limit to this one when it starts.
    let maximum = getrlimit(Resource::Nofile).maximum;
    maximum.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
}

/// What the loop has.
struct Desk {
    cache: RefCell<Cache>,
    inbox: Inbox,
}

impl Desk {
    /// A file that is in the cache and fresh, by a request that is spelled
    /// plainly: then all checks were made when it came there.
    #[inline]
    fn hot(&self, site: &Site, request: &Request) -> Option<Response> {
        let path = wanted(request);
        let address = request.path();
        let is_usual = matches!(*request.method(), Method::GET | Method::HEAD)
            // An empty path is the folder's own.
            && (!path.is_empty() || address.ends_with('/'))
            && memchr::memchr(b'%', address.as_bytes()).is_none();
        if !is_usual {
            return None;
        }
        let cache = self.cache.borrow();
        let resource = cache.fresh(path, request.now().instant)?;
        if variant::lacks(request, resource) || !is_still_that(site, request, resource) {
            return None;
        }
        Some(respond(site, request, resource))
    }

    /// A try on the loop, where it can't wait; else on a helper.
    #[inline(never)]
    fn warm(&self, site: &Arc<Site>, request: &Request) -> Reply {
        let shelf = Here { site, request, cache: &self.cache };
        match (Visit { site, request, wait: Wait::Never, shelf: &shelf }).answer() {
            Ok(response) => response.into(),
            Err(Stop::Status(status)) => refuse(status),
            Err(Stop::Wait) => self.cold(site, request),
        }
    }

    /// A try on a helper.
    fn cold(&self, site: &Arc<Site>, request: &Request) -> Reply {
        let site = Arc::clone(site);
        // Compared on the helper, it need not be read again.
        let path = wanted(request);
        let stale = self.cache.borrow().stale(path).map(|r| (Box::from(path), Arc::clone(r)));
        offload_now(move |request: &mut Request| {
            if let Some(hook) = &site.options.before_disk {
                (hook.0)();
            }
            let shelf = There { outbox: &site.outbox, stale, now: request.now().instant };
            let (site, wait, shelf) = (&*site, Wait::Allowed, &shelf);
            match (Visit { site, request, wait, shelf }).answer() {
                Ok(response) => response.into(),
                Err(Stop::Status(status)) => refuse(status),
                // Not from a try that may wait.
                Err(Stop::Wait) => Status::INTERNAL_SERVER_ERROR.into(),
            }
        })
        .lane(Lane::Engine)
    }

    #[cold]
    fn take_news(&self) {
        // First the bell: what is told later rings again.
        self.inbox.bell.store(false, Ordering::Release);
        let mut cache = self.cache.borrow_mut();
        for news in self.inbox.news.try_iter().take(NEWS_MAX) {
            match news {
                News::Read(key, resource, at) => cache.put(&key, &resource, at),
                News::Changed(path) => cache.forget(&path),
            }
        }
    }
}

/// Whether an open file is what it was when it was opened. What is in memory
/// stays as it is; an open file can be rewritten in place, and then what was said
/// of it, its tag above all, would be of other bytes. So it is asked each time,
/// which is little beside sending it. Only the form that is sent matters.
#[inline]
fn is_still_that(site: &Site, request: &Request, resource: &Resource) -> bool {
    let form = variant::choose(request, resource);
    match &form.content {
        Content::File(file) if site.is_local => {
            let stamp = file.file.metadata().map(|metadata| Stamp::of(&metadata));
            stamp.is_ok_and(|stamp| variant::stamp_of(resource, form) == Some(stamp))
        }
        _ => true,
    }
}

/// The cache as a shelf: on the loop.
struct Here<'a> {
    site: &'a Site,
    request: &'a Request,
    cache: &'a RefCell<Cache>,
}

impl Here<'_> {
    fn now(&self) -> Instant {
        self.request.now().instant
    }
}

impl Shelf for Here<'_> {
    fn get(&self, key: &str) -> Known {
        let cache = self.cache.borrow();
        match (cache.fresh(key, self.now()), cache.stale(key)) {
            (Some(resource), _) if is_still_that(self.site, self.request, resource) => {
                Known::Fresh(Arc::clone(resource))
            }
            (_, Some(resource)) => Known::Stale(Arc::clone(resource)),
            (_, None) => Known::Nothing,
        }
    }

    fn put(&self, key: &str, resource: &Arc<Resource>) {
        self.cache.borrow_mut().put(key, resource, self.now());
    }

    fn enrich(&self, key: &str, resource: &Arc<Resource>) {
        self.cache.borrow_mut().enrich(key, resource);
    }

    fn renew(&self, key: &str, _: &Arc<Resource>) {
        self.cache.borrow_mut().renew(key, self.now());
    }
}

/// What a helper took along, and where it sends what it found.
struct There<'a> {
    outbox: &'a Outbox,
    stale: Option<(Box<str>, Arc<Resource>)>,
    now: Instant,
}

impl Shelf for There<'_> {
    fn get(&self, key: &str) -> Known {
        match &self.stale {
            Some((path, resource)) if **path == *key => Known::Stale(Arc::clone(resource)),
            _ => Known::Nothing,
        }
    }

    fn put(&self, key: &str, resource: &Arc<Resource>) {
        self.outbox.tell(News::Read(key.into(), Arc::clone(resource), self.now));
    }

    fn enrich(&self, key: &str, resource: &Arc<Resource>) {
        // It was compared with the disk on the way here.
        self.put(key, resource);
    }

    fn renew(&self, key: &str, resource: &Arc<Resource>) {
        self.put(key, resource);
    }
}

/// The app's error page for that status.
fn refuse(status: Status) -> Reply {
    if status == Status::METHOD_NOT_ALLOWED {
        // RFC 9110 section 15.5.6: the field is a must.
        return Response::new(status)
            .header("Allow", "GET, HEAD")
            .text("405 Method Not Allowed\n")
            .into();
    }
    status.into()
}
