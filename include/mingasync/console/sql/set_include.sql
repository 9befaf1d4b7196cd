select directory.set_include_in_sync(%(person_id)s, %(include)s)
