# Counts samples of `perf script` by layer: kernel time by the system call that it is spent in, all other by the innermost
# frame that belongs to somebody, so that memory that a layer asks for is that layer's.

function layer(    at) {
  if (frames == 0) return
  samples++
  if (kernel[1]) {
    for (at = 1; at <= frames; at++)
      for (call in calls) if (index(name[at], call)) { of["kernel: " calls[call]]++; return }
    of["kernel: interrupts, scheduler and the rest"]++
    return
  }
  for (at = 1; at <= frames; at++) {
    if (match(name[at], /pinfold_[a-z]+/)) { of["pinfold: " substr(name[at], RSTART + 8, RLENGTH - 8)]++; return }
    if (name[at] ~ /sqlite/) { of["SQLite"]++; return }
    if (name[at] ~ /rustls|aws_lc/) { of["rustls and aws-lc"]++; return }
    if (name[at] ~ /hyper|httparse|h2::|http::/) { of["hyper, http, httparse"]++; return }
    if (name[at] ~ /tokio|mio::|flume/) { of["tokio, mio"]++; return }
  }
  of["the rest"]++
}

BEGIN {
  calls["writev"] = "write"; calls["sys_write"] = "write"; calls["sendto"] = "write"; calls["recv"] = "read"; calls["sys_read"] = "read"
  calls["epoll"] = "epoll"; calls["futex"] = "futex"; calls["getrandom"] = "getrandom"; calls["accept"] = "accept"
  calls["sync"] = "fsync"; calls["splice"] = "splice"; calls["exit_to_user"] = "interrupts, scheduler and the rest"
}
/^[^ \t]/ { frames = 0; next }
/^$/ { layer(); frames = 0; next }
{
  frames++
  kernel[frames] = /kernel|\[unknown\]/ && $1 ~ /^ffff/
  name[frames] = $0
}
END {
  layer()
  for (what in of) printf "%5.1f %%  %s\n", 100 * of[what] / samples, what
}
