-- That somebody was erased, and how much went.
select erased_at, erased_by, removed from directory.erasures where district = %(district)s and erasure_no = %(erasure_no)s
