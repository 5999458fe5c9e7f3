-- Whether an account has a password: for accounts of MariaDB that may not read the hash (src/tables/grants.def).

ALTER TABLE `auth` ADD COLUMN IF NOT EXISTS `has_password` TINYINT(1) GENERATED ALWAYS AS (LENGTH(`password`) > 0) VIRTUAL;
