-- The logins of the test servers. @password(x) is replaced by postgres.password(x).
-- app_ro reads, app_rw reads and writes, app_owner owns the tables, the others differ in how they sign in.
CREATE ROLE app_owner LOGIN PASSWORD '@password(app_owner)';
CREATE ROLE readers;
CREATE ROLE writers;
CREATE ROLE app_ro LOGIN PASSWORD '@password(app_ro)' IN ROLE readers;
CREATE ROLE app_rw LOGIN PASSWORD '@password(app_rw)' IN ROLE readers, writers;
CREATE ROLE app_tls LOGIN PASSWORD '@password(app_tls)' IN ROLE readers;
CREATE ROLE app_trust LOGIN IN ROLE readers;
CREATE ROLE app_password LOGIN PASSWORD '@password(app_password)' IN ROLE readers;
SET password_encryption = 'md5';
CREATE ROLE app_md5 LOGIN PASSWORD '@password(app_md5)' IN ROLE readers;
RESET password_encryption;
