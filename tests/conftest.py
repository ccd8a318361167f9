"""For every layer: what the caller of the tests has left to them does not decide them."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# nohup(1) leaves some of these ignored, and so does a shell without job control for what it runs in the background;
# children inherit that, and planc then keeps on ignoring them, as it should
DEFAULTS = {signal.SIGINT: signal.default_int_handler} | dict.fromkeys(
    (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD), signal.SIG_DFL
)
for number, handler in DEFAULTS.items():
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)

# a busy machine is slow, and a checkout may be read-only
settings.register_profile("planc", database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("planc")
