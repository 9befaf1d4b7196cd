select directory.add_person(%(district)s, %(role)s, %(given_name)s, %(family_name)s, %(email)s, %(username)s, %(identifier)s,
                            %(school_ids)s::text[]) as person_id
