//! Running it for others: what to set and why, what to watch, and where the limits are.
//!
//! The defaults are meant for a service that faces the network; most need no change. The
//! defaults named here, and the metrics, are held against the code by a test.
//!
//! 1. [A list to go through](#a-list-to-go-through)
//! 2. [Settings](#settings), by what they are about
//! 3. [Behind a proxy](#behind-a-proxy)
//! 4. [Sizing](#sizing): helpers, connections, buffers, descriptors
//! 5. [What the metrics mean](#what-the-metrics-mean)
//! 6. [Starting, leaving, and being replaced](#starting-leaving-and-being-replaced)
//! 7. [More cores](#more-cores), [more machines](#more-machines)
//! 8. [A million connections](#a-million-connections)
//!
//! # A list to go through
//!
//! - Build with `--release` and `panic = "unwind"`: a panic in a handler is then one 500.
//! - Raise the hard limit of descriptors (`LimitNOFILE=`, `ulimit -Hn`); the soft one the
//!   server raises itself.
//! - Behind a proxy, say so (`--trust`), and have the proxy set the fields. Directly on the
//!   network, set nobody.
//! - Set `work_timeout` if handlers wait for anything that may hang.
//! - Let something ask `/readyz`, and something else collect `/metrics`; keep both from
//!   strangers.
//! - Leave the supervisor more time than the drain takes.
//! - Try it: `onepoll bench`, and kill the process meanwhile.
//!
//! # Settings
//!
//! Fields of [`Config`](crate::Config), with the flags of `onepoll serve` that set them. What
//! a field does in detail, and what happens beyond it, is said there.
//!
//! ## How large a message may be
//!
//! | Field | Default | Flag | Why |
//! |---|---|---|---|
//! | `limits.head_max` | 32 KiB | `--max-header-bytes` | cookies of large sites fit |
//! | `limits.target_max` | 8 KiB | | what RFC 9112 asks for at the least |
//! | `limits.headers_max` | 100 | | browsers send 20, proxies add a few |
//! | `limits.chunk_ext_max` | 16 KiB | | nobody uses them; a limit is asked for |
//! | `limits.trailers_max` | 8 KiB | | checksums and the like |
//! | `limits.body_max` | 1 MiB | `--max-body` | it is held in memory; raise it for one route |
//! | `limits.discard_max` | 64 KiB | | to read that is cheaper than a new connection |
//!
//! Raise `body_max` for single routes only (`App::body_max` for a scope), and let long content
//! go to a sink or to disk (`forms`), where it takes no memory.
//!
//! ## How long a client may take
//!
//! | Field | Default | Flag | Why |
//! |---|---|---|---|
//! | `handshake_timeout` | 10 s | | three round trips over a bad line, and a user's choice |
//! | `first_timeout` | 10 s | `--header-timeout` | browsers connect ahead of need |
//! | `head_timeout` | 10 s | `--header-timeout` | for the whole head: trickling doesn't help |
//! | `idle_timeout` | 75 s | `--keep-alive` | above the 60 s of proxies: see below |
//! | `body_timeout` | 30 s | `--body-timeout` | a window, weighed at its end by `body_rate` |
//! | `body_rate` | 500 B/s | | below the slowest line, above an attack's patience |
//! | `write_timeout` | 30 s | `--write-timeout` | the same for who is sent something |
//! | `write_rate` | 500 B/s | | as `body_rate` |
//! | `work_timeout` | none | | only you know how long your work takes |
//! | `blame` | none | `--blame` | 100 ms names, in the log, the handler that holds the loop |
//! | `linger_timeout` | 2 s | | so that a reset doesn't eat the last reply |
//!
//! `work_timeout` is the one to think about: without it a job that hangs keeps its client for
//! ever. It frees the client only. The job's thread is free when the job ends, so give
//! whatever it waits for a time limit, too.
//!
//! ## How many
//!
//! | Field | Default | Flag | Why |
//! |---|---|---|---|
//! | `connections_max` | 65536 | `--max-conns` | idle ones are nearly free; descriptors end first |
//! | `overload` | Refuse | `--overload` | who is told 503 can go elsewhere |
//! | `per_address.connections_max` | none | `--max-conns-per-address` | offices share an address |
//! | `per_address.rate_max` | none | `--max-conn-rate` | the same |
//! | `per_address.turn_away` | TooManyRequests | `--turn-away` | a word for who means no harm |
//! | `buffers_max` | 256 MiB | | the bound of what clients make the server keep |
//! | `requests_per_connection` | 10000 | `--max-requests` | spreads clients anew over servers |
//! | `helpers_min` | 0 | `--helpers` | who never waits has one thread |
//! | `helpers_max` | 4 | `--helpers` | for disks; for other waits see below |
//! | `helper_queue` | 1024 | | who would wait longer is better told 503 |
//!
//! Limits by address are for servers that face the network themselves: some hundred connections
//! and as many new ones a second stop a single script and no office. Proxies that are trusted
//! are exempt; `per_address.exempt` (`--exempt`) lists others.
//!
//! ## Whom to believe, and what to say
//!
//! | Field | Default | Flag | Why |
//! |---|---|---|---|
//! | `trusted` | nobody | `--trust` | a client could name any address otherwise |
//! | `forwarded` | X | `--forwarded` | what proxies send unless told otherwise |
//! | `proxy_protocol` | nobody | `--proxy-protocol` | with it there must be a header |
//! | `server_name` | onepoll | | a name without a version helps nobody's attack |
//!
//! ## At the end
//!
//! | Field | Default | Flag | Why |
//! |---|---|---|---|
//! | `drain_idle` | 2 s | | a request may be on its way to an idle connection |
//! | `join_limit` | 5 s | | a job that hangs must not hold up the end for ever |
//!
//! ## Sockets
//!
//! [`SocketOptions`](crate::net::SocketOptions) has `TCP_NODELAY`, the backlog (`--backlog`; the
//! kernel caps it at `net.core.somaxconn`), keep-alive probes, `TCP_USER_TIMEOUT`
//! (`--user-timeout`) and `TCP_NOTSENT_LOWAT`, each with its default and reason. Raise
//! `somaxconn` and the backlog together where thousands connect within a moment: who doesn't fit
//! tries again a second later.
//!
//! # Behind a proxy
//!
//! `examples/deploy` has configurations for nginx, HAProxy and Caddy; the first two are tested
//! with the real programs. What they have in common:
//!
//! - **Who is believed.** `--trust` lists the proxies' addresses, or `unix` for a Unix socket. The
//!   proxy must set or remove all of `X-Forwarded-For`, `-Proto` and `-Host`, and remove
//!   `Forwarded` (or the other way round, with `--forwarded rfc7239`): what it leaves alone is the
//!   client's word.
//! - **Who closes first.** The proxy, always: its time for idle connections to onepoll must be
//!   below `idle_timeout`. nginx (`keepalive_timeout` in `upstream`), HAProxy (`timeout
//!   http-keep-alive` as in the example) and the load balancers of clouds have 60 s, hence 75 s
//!   here. The other way round a request now and then meets a connection that has just closed.
//! - **Connections kept.** nginx keeps none unless told: `keepalive 32`, `proxy_http_version 1.1`
//!   and an empty `Connection`.
//! - **Buffers.** `proxy_buffering off` and `proxy_request_buffering off`: onepoll copes with slow
//!   clients itself, and events would be held back. nginx's `client_max_body_size` is 1 MB.
//! - **Tries.** `proxy_next_upstream error timeout`, HAProxy's `option redispatch` and `retries`:
//!   a process that dies costs no `GET`. A `POST` that was sent is not tried again, and should
//!   not be, unless yours may be done twice.
//! - **Long requests.** Events and downloads outlast the proxy's usual 60 s: `proxy_read_timeout`.
//! - **Where it listens.** A Unix socket, on the same machine, has no ports to run out of.
//! - **Limits by address** belong to the proxy then; here it is exempt. Rate limits of an
//!   application (`middleware::RateLimit`) go by the client whom the proxy names.
//!
//! # Sizing
//!
//! **Helpers** run what would block: files that are not in memory, `offload`ed handlers, session
//! stores. By Little's law you need as many as there are jobs at once: jobs per second times
//! seconds per job. 200 queries a second of 10 ms each keep 2 busy; set 4, since they don't come
//! evenly. `onepoll_helper_wait_seconds_total` divided by `onepoll_helper_jobs_total` is how
//! long a job waits on average; if that is more than the job itself, add some. More than a
//! database has connections is of no use. Work that computes wants no more helpers than there
//! are cores left.
//!
//! **Connections.** An idle one takes 0.17 KiB here and 3.8 KiB of the kernel's memory (below), so
//! `connections_max` is a question of descriptors. From nine tenths on, the longest idle one
//! leaves for each new one.
//!
//! **Buffers.** A busy connection has a few KiB while its request fits one read; who uploads or
//! takes slowly up to some hundred KiB. `buffers_max` bounds the sum, whatever clients do. For the
//! process's memory add 32 MiB of cached files (`onepoll serve`), what your handlers keep, and for
//! each thread 2 MiB of address space, little of it used. A container's limit of 384 MiB fits the
//! defaults. The kernel's buffers of busy sockets are apart: `net.ipv4.tcp_rmem`, `tcp_wmem`, and
//! `tcp_mem` for all of them.
//!
//! **Descriptors.** One for each client, one more for each that is sent a large file, one for each
//! connection of helpers to Redis or a database. The server keeps 64 aside, raises the soft limit
//! to the hard one and lowers `connections_max` to what is left, so set the hard limit to twice
//! the clients you want.
//!
//! # What the metrics mean
//!
//! At `--metrics PATH`, or from [`Metrics`](crate::handlers::Metrics). Names with
//! `http_server_` are OpenTelemetry's, about requests; the rest is about the loop. With several
//! loops each has its own, by the label `reactor`.
//!
//! | Metric | What to make of it |
//! |---|---|
//! | `http_server_request_duration_seconds` | by route and status: the alarm for users' sake |
//! | `http_server_active_requests` | under way; it grows when something behind is slow |
//! | `http_server_request_body_size_bytes` | what comes in |
//! | `http_server_response_body_size_bytes` | what goes out |
//! | `onepoll_loop_lag_seconds` | the longest turn lately: above 0.05 a handler blocks |
//! | `onepoll_blames_total` | handlers that held the loop for too long: the log has their names |
//! | `onepoll_loop_turn_seconds` | all turns: its sum's rate is the loop's load, 1 is full |
//! | `onepoll_connections` | open ones, busy and idle |
//! | `onepoll_slab_used` | the same in all; near `connections_max` somebody is turned away |
//! | `onepoll_slab_capacity` | so many fit before memory grows |
//! | `onepoll_connections_accepted_total` | much more than requests: keep-alive is off somewhere |
//! | `onepoll_connections_refused_total` | 503 for want of a slot: too small, or an attack |
//! | `onepoll_connections_turned_away_total` | limits by address at work |
//! | `onepoll_connections_closed_total` | by reason; a change in the mix is what tells |
//! | `onepoll_accept_errors_total` | any of `descriptors`: raise the limit |
//! | `onepoll_tls_handshakes_total` | few `resumed` ones cost CPU time |
//! | `onepoll_tls_handshake_failures_total` | by reason: certificates, old clients, scanners |
//! | `onepoll_requests_total` | begun |
//! | `onepoll_faults_total` | refused by the protocol: scanners, or a proxy at odds |
//! | `onepoll_timeouts_total` | deadlines that ended something |
//! | `onepoll_replies_cut_total` | not sent whole: clients that left, sources that failed |
//! | `onepoll_received_bytes_total` | as the sockets gave them |
//! | `onepoll_sent_bytes_total` | as the sockets took them |
//! | `onepoll_strays_total` | work for nobody: give it up earlier (`Exchange::gone`) |
//! | `onepoll_buffers_lent_bytes` | near `buffers_max` clients wait for memory |
//! | `onepoll_timers` | deadlines running: about one a connection |
//! | `onepoll_draining` | 1: it is leaving |
//! | `onepoll_helper_threads` | at `helpers_max` for long: see Sizing |
//! | `onepoll_helper_running` | jobs that run |
//! | `onepoll_helper_queue_length` | jobs that wait; rising is the first sign of trouble |
//! | `onepoll_helper_queue_capacity` | there it is a 503; `/readyz` says no near it |
//! | `onepoll_helper_jobs_total` | started |
//! | `onepoll_helper_refused_total` | each was a 503 |
//! | `onepoll_helper_panics_total` | each was a 500, and a bug |
//! | `onepoll_helper_wait_seconds_total` | divided by jobs: the mean wait |
//! | `onepoll_helper_wait_max_seconds` | the longest so far |
//!
//! # Starting, leaving, and being replaced
//!
//! `/livez` says that the loop turns; whoever gets no answer may start it anew. `/readyz` says that
//! it should be sent clients: it doesn't while it leaves, while helpers are saturated, or while a
//! check of yours fails. Never let a check of another service into `/livez`: if that is gone, all
//! servers would be started again and again.
//!
//! On SIGTERM it says on `/readyz` that it leaves and serves on for `--shutdown-delay` (none; set
//! it to the time that balancers need to notice: twice their interval). Then it drains: takes no
//! new clients, says `Connection: close` on each reply, and ends when all is done, or after
//! `--drain-limit` (30 s). A supervisor must wait longer than both and `join_limit` together:
//! `TimeoutStopSec=`, `terminationGracePeriodSeconds`, `docker stop --time`. The files in
//! `examples/deploy` do.
//!
//! A client that sends a request in the moment in which its idle connection is closed may see it
//! fail: HTTP/1.1 has no way around that, only `drain_idle` to make it rare. Clients try again
//! what may be done twice; proxies do it as said above.
//!
//! # More cores
//!
//! One loop uses one core. Before you add more, look at `onepoll_loop_turn_seconds_sum`: its
//! rate is the share of time in which the loop was busy; below 0.5 more loops change nothing.
//!
//! `--reactors N` runs N loops with a listening socket each; the kernel spreads new connections
//! by a hash of their addresses. So:
//!
//! - Each loop has an N-th of `connections_max` and `buffers_max`. Few clients, such as the
//!   kept connections of one proxy, may fall unevenly: give it more of them than there are loops.
//! - What an application keeps in memory is one loop's: sessions in memory, rates, caches of
//!   files. A client comes to another loop with its next connection. Sessions belong into a store
//!   then (`SqliteStore`, `RedisStore`); a limit in memory lets in up to N times as many.
//! - Helpers are shared, and one `/metrics` shows all.
//! - No more loops than cores, less what helpers and a proxy on the same machine need.
//!
//! Several processes are the alternative where one must not take the others along.
//!
//! # More machines
//!
//! `examples/deploy/cluster` runs it small: two processes, one Redis, nginx in front. A test kills
//! either under load: no session is lost, and no request.
//!
//! - **Sessions**: `session::RedisStore`. While Redis is gone requests with a session are 503, or
//!   go on without one (`Sessions::optional`).
//! - **Rates**: `RateLimit::shared` with `middleware::RedisRates`. Each server counts for itself
//!   first, so a flood stays there. While Redis is gone the own count is what counts, or it is
//!   a 503 (`fail_closed`).
//! - Each of these takes a helper for a round trip or two. With 0.2 ms for one, 4 helpers make
//!   20,000 a second, by the arithmetic above.
//! - Redis itself is one machine: what was answered is on its disk at once with `appendfsync
//!   always`, a second later with `everysec`.
//! - Sticky clients are not needed. Files that are uploaded are another matter: they are on the
//!   machine that took them.
//!
//! # A million connections
//!
//! Nobody has tried this here; it is arithmetic, from 10,000 connections measured (Linux 6.18,
//! x86-64, each idle after one request).
//!
//! | Each takes | Bytes |
//! |---|---|
//! | resident memory of onepoll | 170 |
//! | kernel: `TCP`, 2,368 and its share of the slab | 2,520 |
//! | kernel: `sock_inode_cache`, 832 | 862 |
//! | kernel: `filp`, `dentry`, 192 each | 390 |
//! | kernel: `eventpoll_epi`, 128; security label, 24 | 152 |
//! | kernel: buffers (`mem` in `/proc/net/sockstat`) | 0, or a page for a few |
//!
//! That is 3.8 KiB of the kernel's, as `Slab` in `/proc/meminfo` confirms: it grew by 7,520 bytes
//! for both ends of a connection on one machine, of which the other end is not in the poll. A
//! million: **0.17 GB here, 3.9 GB in the kernel**. A firewall that tracks connections, and TLS,
//! add to it; measure yours.
//!
//! - **Descriptors**: `fs.nr_open` is 1,048,576 by default and bounds every limit; `fs.file-max`
//!   the system. Set `LimitNOFILE=1048576` and `--max-conns 1000000`, or one loop or process for
//!   each part.
//! - **Ports**: a connection is two addresses and two ports. Clients on the network have their own
//!   addresses, so the server's one port is enough. A proxy that connects from one address to one
//!   port has 28,232 (`net.ipv4.ip_local_port_range`), 64,512 at most; a million need 16 pairs of
//!   addresses and all ports, or Unix sockets.
//! - **If they wake up**: 1 % at once with 16 KiB of buffers each are 156 MiB, within
//!   `buffers_max`; all at once with 4 KiB are 3.8 GiB. What is beyond waits for its turn; that is
//!   what the limit is for. The kernel's side is bounded by `net.ipv4.tcp_mem`, in pages.
//! - **If they come at once**, after a restart: at 50,000 accepted a second it takes 20 s. A full
//!   TLS handshake of half a millisecond makes it 500 s of CPU time. Measure yours (`cargo bench
//!   --bench tls`), and let clients wait a random while before they come again.
//! - **If they ping**: each once a minute are 17,000 requests a second, within one loop's means.
//! - **Deadlines** cost nothing by number: the wheel moves by what is due.
