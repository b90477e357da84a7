SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, c.oid::regclass,
              CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
FROM pg_class c, LATERAL aclexplode(c.relacl) a
WHERE c.oid = to_regclass('summa_read.' || quote_ident($1)) AND a.grantee <> c.relowner
