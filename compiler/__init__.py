"""The compiler: a site model in, a tree of files out. It knows no network and no clock."""
