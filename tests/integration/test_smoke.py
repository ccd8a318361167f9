def test_a(container):
    assert container.sh("echo hi; id -u") == "hi\n0"
def test_b(container):
    container.sleeping()
    assert container.status == "running"
def test_c(container):
    container.args("nope").try_create().failed("executable file not found in $PATH")
