"""Pages as web servers make them, of a folder with `sub/` and `a b.txt`, and other pages."""

from __future__ import annotations

import pytest

from filestore_fsspec.drivers.http.pages import Listing, read_listing

URL = "http://h:80/x/y/"

MARKED = {
    "nginx": """<html><head><title>Index of /x/y/</title></head><body><h1>Index of /x/y/</h1>
<hr><pre><a href="../">../</a>
<a href="sub/">sub/</a>                25-Nov-2026 10:09                   -
<a href="a%20b.txt">a b.txt</a>        25-Nov-2026 10:09                1234
</pre><hr></body></html>""",
    "apache": """<title>Index of /x/y</title><table><tr><th><a href="?C=N;O=D">Name</a></th></tr>
<tr><td><a href="/x/">Parent Directory</a></td></tr>
<tr><td><a href="sub/">sub/</a></td><td>2026-11-25 10:09</td><td>-</td></tr>
<tr><td><a href="a%20b.txt">a b.txt</a></td><td>2026-11-25 10:09</td><td>1.2K</td></tr></table>""",
    "python": """<title>Directory listing for /x/y/</title><ul>
<li><a href="sub/">sub/</a></li><li><a href="a%20b.txt">a b.txt</a></li></ul>""",
    "go": """<!doctype html>
<meta name="viewport" content="width=device-width">
<pre>
<a href="a%20b.txt">a b.txt</a>
<a href="sub/">sub/</a>
</pre>""",
    "caddy": """<title>y</title><h1><a href="../">x</a></h1>
<a href="./?sort=name&order=desc">Name</a>
<a href="./sub/"><span>sub</span></a><a href="./a%20b.txt"><span>a b.txt</span></a>""",
    "iis": """<title>h - /x/y/</title><pre><A HREF="/x/">[To Parent Directory]</A><br>
&lt;dir&gt; <A HREF="/x/y/sub/">sub</A><br> 1234 <A HREF="/x/y/a%20b.txt">a b.txt</A><br></pre>""",
    "lighttpd": """<title>Index of /x/y/</title><table><tr><td><a href="../">..</a>/</td></tr>
<tr><td><a href="sub/">sub</a>/</td></tr>
<tr><td><a href="a%20b.txt">a b.txt</a></td></tr></table>""",
}


@pytest.mark.parametrize("server", MARKED)
def test_a_folder_as_servers_list_it(server: str) -> None:
    listing = read_listing("http://h:80/x/y", URL, MARKED[server])
    assert listing is not None
    found = {info["name"]: (info["type"], info["size"]) for info in listing.entries}
    size = 1234 if server == "nginx" else None
    assert found == {
        "http://h:80/x/y/sub": ("directory", 0),
        "http://h:80/x/y/a b.txt": ("file", size),
    }
    assert listing.marks_folders


@pytest.mark.parametrize("server", ["nginx", "apache", "python"])
def test_files_alone_where_folders_end_in_a_slash(server: str) -> None:
    lines = MARKED[server].replace("sub/", "sub")
    listing = read_listing("http://h:80/x/y", URL, lines)
    assert listing is not None
    assert listing.marks_folders


def test_links_to_folders_may_have_no_slash() -> None:
    page = "<title>Index of ./x</title><a href='..'>..</a><a href='sub'>sub</a><a href=f>f</a>"
    listing = read_listing("http://h:80/x/y", URL, page)
    assert listing is not None
    assert [info["name"][-3:] for info in listing.entries] == ["sub", "y/f"]
    assert not listing.marks_folders


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<title>Log in</title><form><a href='forgot'>Forgot?</a><input type=password></form>",
        "<title>Welcome</title><a href='/'>Home</a> <a href='about/'>About</a>",
        "<h1>404 Not Found</h1>",
        "<pre>core dumped</pre><script>x</script>",
        "<a href='file'>file</a>",
    ],
)
def test_another_page_lists_nothing(page: str) -> None:
    assert read_listing("http://h:80/x/y", URL, page) is None


def test_an_empty_folder_is_one() -> None:
    page = MARKED["nginx"].partition('<a href="sub/">')[0]
    assert read_listing("http://h:80/x/y", URL, page) == Listing([], marks_folders=True)


@pytest.mark.parametrize(
    "piece", ["<a ", "<a href=", '<a href="', "<a href='x'", "<a href='x'>", "<title", "> [to "]
)
def test_a_page_of_one_thing_is_read_in_one_pass(piece: str) -> None:
    # Looking from each of them to the end of all would outlast the test's time-out.
    page = "<h1>Index of /</h1>" + piece * 2**17
    listing = read_listing("http://h:80/x/y", URL, page if "'x'>" not in piece else page[:100_000])
    assert listing is not None
    assert len(listing.entries) < 3
