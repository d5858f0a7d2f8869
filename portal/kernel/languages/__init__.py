"""Which language a page is in, and the catalogues that its words come from."""
