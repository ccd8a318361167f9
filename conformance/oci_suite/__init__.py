"""The harness around the OCI runtime-tools validation suite: fetch, run, judge, write down."""
