"""Who gets what at which address: the whole product walked by everybody."""
