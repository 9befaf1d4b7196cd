select directory.remove_list_member(%(list_id)s, %(person_id)s, %(member_role)s)
