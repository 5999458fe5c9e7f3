# The accounts at MariaDB: what `rosterctl grants` prints gives each what it needs, and nothing that a wildcard lets
# slip in; changes of tables have an account of their own; roster -t tells what an account lacks or has too much. And
# the other findings of roster -t about MariaDB.
use v5.36;

use Test::More;
use Roster;

my $roster = Roster->new(
    start => 0,
    config => {database_name => 'ro_ster', password_scrypt_n => 1024, password_scrypt_r => 8, password_scrypt_p => 1});
$roster->start('mariadb');
$roster->write_configuration;
my $source = $roster->{source};

# The rows that SHOW GRANTS has for an account.
sub grants ($account) {
    return map { $_->[0] =~ s/ IDENTIFIED .*//r =~ s/\\\\/\\/gr } $roster->sql("SHOW GRANTS FOR $account");
}
sub check () { return $roster->run_program('roster', '-c', $roster->config_file, '-t') }

subtest 'rosterctl grants' => sub {
    my ($status, $sql) = $roster->rosterctl('grants');
    is $status, 0, 'needs no MariaDB' or diag $sql;
    unlike $sql, qr/\Q$roster->{database_password}\E/, 'no password is printed';
    like $sql, qr/^-- .*CREATE USER 'roster'\@'localhost' IDENTIFIED BY '\.\.\.'/m, 'where there is one, it says so';
    like $sql, qr/GRANT SELECT, INSERT, UPDATE, DELETE ON `ro\\_ster`\.\* TO 'roster'\@'localhost';/,
        'the service writes rows, of this database alone';
    like $sql, qr/GRANT ALL PRIVILEGES ON `ro\\_ster`\.\* TO 'roster-migrate'\@'localhost';/,
        'roster-migrate changes tables';
    # What was there before, with a wildcard and too much.
    $roster->sql($_)
        for 'CREATE DATABASE roXster', 'GRANT ALL PRIVILEGES ON `ro_ster`.* TO roster@localhost',
        'GRANT PROCESS ON *.* TO roster@localhost';
    for my $round (1, 2) {
        $roster->sql($_) for grep { /\S/ } map { s/^--.*//gmr } split /;\n/, $sql;
        is_deeply [sort(grants('roster@localhost'))],
            [
            'GRANT SELECT, INSERT, UPDATE, DELETE ON `ro\\_ster`.* TO `roster`@`localhost`',
            'GRANT USAGE ON *.* TO `roster`@`localhost`'
            ],
            "round $round: the service has what it needs, and nothing else";
        is_deeply [sort(grants('`roster-migrate`@localhost'))],
            [
            'GRANT ALL PRIVILEGES ON `ro\\_ster`.* TO `roster-migrate`@`localhost`',
            'GRANT USAGE ON *.* TO `roster-migrate`@`localhost`'
            ],
            "round $round: so has roster-migrate";
    }
    ($status, $sql) = $roster->rosterctl('grants', '--from', "192.0.2.%");
    like $sql, qr/TO 'roster'\@'192\.0\.2\.%';/, '--from';
    $roster->set_directives(
        database_password_file => undef,
        migration_password_file => undef,
        database_user => "o'neil",
        database_name => 'a`%b');
    ($status, $sql) = $roster->rosterctl('grants');
    like $sql, qr/CREATE USER IF NOT EXISTS 'o''neil'\@'localhost' IDENTIFIED VIA unix_socket;/,
        'without a password: unix_socket';
    like $sql, qr/CREATE DATABASE IF NOT EXISTS `a``%b`/, 'odd names are quoted';
    like $sql, qr/ON `a``\\%b`\.\*/, 'and % is no wildcard';
    my $password = "$roster->{directory}/database.password";
    $roster->set_directives(
        database_password_file => $password,
        migration_password_file => $password,
        database_user => 'roster',
        database_name => 'ro_ster');
};

subtest 'migrations' => sub {
    my ($status, $output) = $roster->rosterctl('migrate', '--directory', "$source/sql");
    is $status, 0, 'the tables are made' or diag $output;
    unlike $output, qr/let .* in/, 'by the account that may';
    ($status, $output) = check();
    is $status, 0, 'roster -t is content' or diag $output;
    unlike $output, qr/account/, 'with the account, too' or diag $output;

    # As before there was such an account.
    $roster->sql('DROP USER `roster-migrate`@localhost');
    ($status, $output) = $roster->rosterctl('migrate', '--directory', "$source/sql");
    is $status, 0, 'without it, where nothing is to be done';
    like $output, qr/refuses the account roster-migrate; the account roster is used instead\. `rosterctl grants'/,
        'it says what it does, and what to do'
        or diag $output;
    mkdir "$roster->{directory}/sql";
    system('cp', (glob "$source/sql/*.sql"), "$roster->{directory}/sql") == 0 or die;
    Roster::Database::write_file(
        "$roster->{directory}/sql/" . sprintf('%04d', 1 + scalar(my @files = glob "$source/sql/*.sql")) . '_more.sql',
        'CREATE TABLE IF NOT EXISTS more (id INT PRIMARY KEY);');
    ($status, $output) = $roster->rosterctl('migrate', '--directory', "$roster->{directory}/sql");
    isnt $status, 0, 'the service may not change tables';
    like $output, qr/\[1142\] CREATE command denied/, 'MariaDB says so' or diag $output;
    $roster->sql('REVOKE ALL PRIVILEGES, GRANT OPTION FROM roster@localhost');
    $roster->sql('GRANT ALL PRIVILEGES ON `ro_ster`.* TO roster@localhost');
    ($status, $output) = $roster->rosterctl('migrate', '--directory', "$roster->{directory}/sql");
    is $status, 0, 'an account that may do everything goes on working' or diag $output;
    $roster->sql('DELETE FROM ro_ster.schema_migration WHERE name LIKE ?', '%_more.sql');
};

subtest 'too much, too little' => sub {
    my ($status, $output) = check();
    is $status, 0, 'that is a warning';
    my $more = qr/MariaDB's account roster\@localhost may do more than Roster needs/;
    my $all = qr/ALL PRIVILEGES on `ro_ster`\.\*, where _ and % are wildcards/;
    like $output, qr/warning: $more \($all\): `rosterctl grants` prints what to change/, 'with what to do'
        or diag $output;
    $roster->sql('REVOKE ALL PRIVILEGES, GRANT OPTION FROM roster@localhost');
    $roster->sql('GRANT SELECT, INSERT, UPDATE, DELETE ON `ro_ster`.* TO roster@localhost');
    like + (check())[1], qr/\(SELECT, INSERT, UPDATE, DELETE on `ro_ster`\.\*, where _ and % are wildcards\)/,
        'a wildcard alone is too much';
    $roster->sql('REVOKE ALL PRIVILEGES, GRANT OPTION FROM roster@localhost');
    $roster->sql('GRANT SELECT, INSERT, DELETE ON `ro\_ster`.* TO roster@localhost');
    ($status, $output) = check();
    isnt $status, 0, 'what is missing is an error';
    like $output,
        qr/error: MariaDB's account roster may not do what Roster needs: .*UPDATE command denied.*`rosterctl grants`/,
        'with what to do'
        or diag $output;
    $roster->sql('GRANT SELECT, INSERT, UPDATE, DELETE ON `ro\_ster`.* TO roster@localhost');
    like + (check())[1], qr/are good$/m, 'mended';
};

subtest 'the other findings about MariaDB' => sub {
    my %limit = (
        max_allowed_packet => scalar $roster->sql('SELECT @@GLOBAL.max_allowed_packet'),
        max_prepared_stmt_count => 16382);
    $roster->sql('SET GLOBAL max_allowed_packet = 1048576');
    my ($status, $output) = check();
    my $less = qr/max_allowed_packet is 1048576, but request_body_limit is \d+/;
    like $output, qr/warning: MariaDB at \S+: $less: larger data is refused .*raise max_allowed_packet to \d+/,
        'max_allowed_packet';
    $roster->sql("SET GLOBAL max_allowed_packet = $limit{max_allowed_packet}");
    $roster->sql('SET GLOBAL max_prepared_stmt_count = 100');
    ($status, $output) = check();
    isnt $status, 0, 'max_prepared_stmt_count below what the workers keep is an error';
    my $taken = qr/\d+ workers may take \d+/;
    like $output,
        qr/error: MariaDB's max_prepared_stmt_count is 100, but $taken: raise it to \d+ or more, or lower workers/,
        'with what to do'
        or diag $output;
    $roster->sql('SET GLOBAL max_prepared_stmt_count = 1000');
    (undef, $output) = check();
    like $output, qr/warning: MariaDB's max_prepared_stmt_count is 1000, but $taken while a reload/,
        'and a warning where a reload may pass it';
    $roster->sql("SET GLOBAL max_prepared_stmt_count = $limit{max_prepared_stmt_count}");

    $roster->sql('USE ro_ster');
    $roster->sql('UPDATE schema_migration SET number = 9000 WHERE number = (SELECT MAX(number) FROM schema_migration)');
    ($status, $output) = check();
    isnt $status, 0, 'tables of a newer program are an error';
    my $newer =
        qr/the tables are at version 9000, made by a newer program than this one, which knows \d+: install the /;
    like $output, qr/error: $newer/, 'with what to do' or diag $output;
    for my $command (['migrate'], ['migrate', '--check']) {
        my $result = $roster->ctl(@$command, '--directory', "$source/sql");
        is $result->{status}, 1, "rosterctl @$command fails with them";
        like $result->{err}, qr/^rosterctl: $newer/m, 'and says the same' or diag $result->{err};
    }
    my $listed = $roster->ctl('user', 'list');
    is $listed->{status}, 0, 'a command that needs none of what is newer goes on';
    like $listed->{err}, qr/^rosterctl: warning: $newer/, 'and says the same';
    ($status, $output) = $roster->run_program('roster', '-c', $roster->config_file);
    is $status >> 8, 1, 'the service does not start';
    like $output . $roster->log_text, $newer, 'and says the same';
    $roster->allow_log($newer);
    $roster->sql('UPDATE schema_migration SET number = 0 WHERE number = 9000');
    ($status, $output) = check();
    like $output, qr/error: the tables are at version \d+, but this program wants \d+: call `rosterctl migrate`/,
        'so are those of an older one'
        or diag $output;
    $roster->sql('RENAME TABLE schema_migration TO gone');
    ($status, $output) = check();
    isnt $status, 0, 'no tables';
    like $output, qr/error: the database ro_ster has no tables of Roster's: call `rosterctl migrate`/, 'with what to do'
        or diag $output;
    $listed = $roster->ctl('user', 'list');
    is $listed->{status}, 1, 'rosterctl lists nobody then';
    like $listed->{err}, qr/^rosterctl: the database ro_ster has no tables of Roster's: call `rosterctl migrate`/,
        'and says the same';
    $roster->sql('RENAME TABLE gone TO schema_migration');

    my $cure = qr/; mend it: rosterctl grants \| mariadb$/m;
    for my $changed ([database_user => 'nobody-there'], [database_name => 'nothing']) {
        $roster->set_directives(@$changed);
        $roster->write_configuration;
        ($status, $output) = check();
        isnt $status, 0, "another $changed->[0] is an error";
        like $output, qr/error: MariaDB does not let Roster in: .*\[\d+\] [^;]*$cure/, 'with what to do, once'
            or diag $output;
        $roster->set_directives(database_user => undef, database_name => 'ro_ster');
        delete $roster->{options}{config}{database_user};
    }
    $roster->write_configuration;

    my $hash = '$s1$%s$c2FsdHNhbHRzYWx0c2FsdA==$' . ('A' x 86) . '==';
    $roster->sql(q{INSERT INTO user (id, email, name) VALUES ('x', 'x@example.org', 'x')});
    $roster->sql(q{INSERT INTO auth (id, email, password) VALUES ('x', 'x@example.org', ?)}, sprintf $hash, '0f0801');
    (undef, $output) = check();
    my $hashed = qr/1 passwords were hashed with N/;
    like $output,
        qr/warning: $hashed 32768, r 8, p 1: verifying one takes 32 MiB and 32\.0 times the configured time/,
        'hashes that cost much more';
    $roster->sql('UPDATE auth SET password = ?', sprintf $hash, '140801');
    ($status, $output) = check();
    isnt $status, 0, 'and those that cost too much are an error';
    my $size = 'which takes 1024 MiB each';
    like $output,
        qr/error: $hashed 1048576, r 8, p 1, $size: they match nothing; raise password_hash_memory_limit/,
        'with what to do'
        or diag $output;
    $roster->set_directives(password_hash_memory_limit => '1g');
    (undef, $output) = check();
    like $output, qr/warning: $hashed 1048576/, 'which helps';
};

subtest 'unknown to MariaDB' => sub {
    $roster->set_directives(database_user => 'nobody-such');
    my ($status, $output) = check();
    isnt $status, 0, 'an error';
    like $output, qr/error: MariaDB does not let Roster in: \S+mariadb\.sock: \[1045\] Access denied/,
        'with what MariaDB says'
        or diag $output;
};

done_testing;
