# rosterctl backup and restore: everything comes back as it was at one moment, or nothing is changed.
use v5.36;
use utf8;

use Digest::SHA ();
use IPC::Open3 ();
use Test::More;
use Roster;
use Roster::Pictures;

# With identity_cache, since a restore has to be seen by a service that keeps what it has read.
my $roster = Roster->new(config => {identity_cache => '1h', last_active_interval => '1h', rate_limits => 'no'});
my $directory = $roster->{directory};
my $file = "$directory/backup.tar";

sub ends_with ($result, $status, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $result->{status} eq $status && $result->{out} . $result->{err} =~ $pattern;
    return ok($good, $name) || diag "status $result->{status}\nout: $result->{out}\nerr: $result->{err}";
}

# All rows of all tables that are part of a backup, in hexadecimal, and without what MariaDB computes.
sub everything () {
    my %columns;
    for my $row ($roster->sql(
        q{SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'roster' AND
                is_generated = 'NEVER' AND CONCAT(table_name, '.', column_name) <> 'user.changed_at' AND
                table_name NOT IN ('schema_migration', 'deleted_user', 'audit', 'audit_head')}))
    {
        push @{$columns{$row->[0]}}, $row->[1];
    }
    my %rows;
    for my $table (keys %columns) {
        my $all = join ', ', map { "COALESCE(HEX(`$_`), '-')" } @{$columns{$table}};
        $rows{$table} = [map { $_->[0] } $roster->sql("SELECT CONCAT_WS('|', $all) AS row FROM `$table` ORDER BY 1")];
    }
    return \%rows;
}

sub tar (@arguments) {
    open my $out, '-|', 'tar', @arguments or die "tar: $!\n";
    local $/ = undef;
    return readline($out) // '';
}

# ---- People with all that may be theirs ----

my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $ada = $roster->add_user(
    name => "Ada \x{1f600} \"Countess\" \\ \x{85}",
    email => 'ada@example.org',
    info => {note => "line\nline", odd => "\x{0}\x{7f}"},
    date_of_birth => '1815-12-10',
    created_at => 2_000_000);
my $bob = $roster->add_user(name => "Bob \x{e9}\x{301}", bio => "first\r\nsecond", created_at => 3_000_000);
$roster->sql('UPDATE user SET bio = ? WHERE id = ?', "NUL \0 here", $ada->{id});
my $session = $roster->new_session($ada);
my $picture = png(more => join('', map { chr } 0 .. 255) . Roster::random_bytes(200_000));
is $roster->post('/users/user/info/update', $session, {seen => 1})->{status}, 200, 'a document of hers';
is $roster->update_user($admin, $bob, {profile_image_url => data_uri($picture)})->{status}, 200, 'his picture';
is $roster->ctl('group', 'add', 'Staff', '--description', 'all of us')->{status}, 0, 'a group';
is $roster->ctl('group', 'add-member', 'Staff', $ada->{id}, $bob->{id})->{status}, 0, '... with members';
$roster->change_settings($admin, ENABLE_API_KEYS => JSON::PP::true);
my $key = $roster->ctl('key', 'add', $admin->{id}, '--quiet')->{out};
chomp $key;
$roster->secret($key);
$roster->sql(
    q{INSERT INTO chat (id, user_id, title, chat, share_id) VALUES ('c1', ?, 'A chat', '{"messages": [1, 2.50]}',
    'share')}, $ada->{id});
$roster->sql(q{INSERT INTO chat (id, user_id) VALUES ('c2', 'shared-c1')});
$roster->sql(
    q{INSERT INTO chat (id, user_id, chat) SELECT CONCAT('x', seq), ?, CONCAT('{"a": "', REPEAT('x', 90000), '"}')
    FROM seq_1_to_60}, $ada->{id});
$roster->sql(
    q{INSERT INTO known_network (user_id, network, last_at) SELECT ?, CONCAT('192.0.2.', seq), seq FROM
    seq_1_to_130}, $bob->{id});
is $roster->get("/users/$_->{id}", $admin)->{status}, 200, 'they are there' for $ada, $bob;
# What workers write behind an answer, as the time of a last sign-in, is written when they have ended.
$roster->restart('roster');
my $before = everything();
cmp_ok scalar(grep { @$_ } values %$before), '>=', 10, 'most tables have rows';

# ---- A backup ----

is $roster->status->{last_backup_at}, undef, '/status knows of no backup';
my $began = time;
ends_with $roster->ctl('backup', $file), 0,
    qr{^\Q$file\E: 3 accounts, \d+ rows of \d+ tables, [56]\.\d MB\. The secret key is not in it},
    'a backup, while the service runs';
cmp_ok $roster->status->{last_backup_at}, '>=', $began, '... which /status has noticed';
is sprintf('%04o', (stat $file)[2] & 07777), '0600', '... which only the caller can read';
is_deeply [glob "$file.*"], [], '... with nothing beside it';
my $list = tar('-tf', $file);
like $list, qr{^roster/tables/user\.0001\.jsonl$}m, 'tar can read it';
like $list, qr{^roster/tables/chat\.0001\.jsonl\n.*chat\.0002\.jsonl$}m, '... a large table is in parts';
unlike $list, qr/secret|schema_migration|deleted_user|audit/,
    '... and there is neither a secret nor what belongs to the place';
is system("cd $directory && tar -xf backup.tar && cd roster && sha256sum --quiet -c manifest.sha256"), 0,
    '... the checksum of its manifest is right';
my $manifest = JSON::PP::decode_json(Roster::Database::slurp("$directory/roster/manifest.json"));
is $manifest->{schema}, $roster->sql('SELECT MAX(number) FROM schema_migration'), '... which has the version';
for my $part (map { @{$_->{files}} } @{$manifest->{tables}}) {
    is Digest::SHA::sha256_hex(Roster::Database::slurp("$directory/$part->{file}")), $part->{sha256},
        "... and the checksum of $part->{file}";
}
unlike Roster::Database::slurp($file), qr/\Q$roster->{key}\E/, '... the key is nowhere in it';
my $told = $roster->ctl_json('backup', $file);
is_deeply [@$told{qw(file users bytes secrets)}], [$file, 3, -s $file, JSON::PP::false], 'the same in JSON';
ends_with $roster->ctl('backup', "$directory/with.tar", '--with-secrets'), 0, qr/anyone who has the file can sign in/,
    'one with the secret key';
is tar('-xOf', "$directory/with.tar", 'roster/secret.key'), "$roster->{key}\n", '... which is in it';
ends_with $roster->ctl('backup', $directory), 2, qr/not a regular file/, 'no directory is replaced';
ends_with $roster->ctl('backup', "$directory/none/backup.tar"), 1, qr/No such file/, 'no file where no directory is';

# ---- Nothing is done ----

ends_with $roster->ctl('restore', $file), 6, qr/--replace deletes them/,
    'people who are there are not replaced unasked';
ends_with $roster->ctl('restore', $file, '--replace'), 2, qr/add --yes/, '... and not without a question';
ends_with $roster->ctl('restore', $file, '--replace', '--dry-run'), 0,
    qr/^user +3\n.*is whole\. Nothing was changed/ms, 'a dry run';
ends_with $roster->ctl('restore', $file, '--replace', '--yes', '--with-secrets'), 6, qr/has no secret key/,
    'no key comes of a backup without it';

my $bytes = Roster::Database::slurp($file);
my $bad = "$directory/bad.tar";

sub refused ($content, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Roster::Database::write_file($bad, $content);
    return ends_with $roster->ctl('restore', $bad, '--replace', '--yes'), 1, $pattern, $name;
}
my $at = index $bytes, '"Ada ';
refused substr($bytes, 0, $at) . 'x' . substr($bytes, $at + 1), qr/user\.0001\.jsonl has another checksum/,
    'a changed row';
refused substr($bytes, 0, length($bytes) - 1024), qr/ends too early/, 'a backup without its end';
refused substr($bytes, 0, length($bytes) / 2), qr/ends too early/, 'a half of it';
refused "people\n" x 1000, qr/no backup of rosterctl's/, 'another file';
refused '', qr/ends too early/, 'an empty file';

# An archive of a changed manifest and changed files, with the right checksum of the manifest.
sub packed ($change, %files) {
    my %changed = (%{JSON::PP::decode_json(Roster::Database::slurp("$directory/roster/manifest.json"))}, %$change);
    my $text = JSON::PP->new->utf8->canonical->encode(\%changed);
    system(   "rm -rf $directory/other && cp -r $directory/roster $directory/other.d && mkdir $directory/other"
            . " && mv $directory/other.d $directory/other/roster") == 0
        or die;
    Roster::Database::write_file("$directory/other/roster/manifest.json", $text);
    Roster::Database::write_file("$directory/other/roster/manifest.sha256",
        Digest::SHA::sha256_hex($text) . "  manifest.json\n");
    Roster::Database::write_file("$directory/other/$_", $files{$_}) for keys %files;
    my @names = (
        map({ map { $_->{file} } @{$_->{files}} } @{$changed{tables}}),
        'roster/manifest.json', 'roster/manifest.sha256');
    return tar('-C', "$directory/other", '--format=ustar', '-cf', '-', @names);
}
refused packed({schema => 9999}), qr/at version 9999, made by a newer program than this one.*install the newer one/,
    'tables of a newer program';
refused packed({format => 2}), qr/made by a newer program/, 'an archive of a newer program';
my @fewer = map { $_->{name} eq 'auth' ? {%$_, rows => $_->{rows} + 1} : $_ } @{$manifest->{tables}};
refused packed({tables => \@fewer}), qr/the table auth has 3 rows now, and should have 4\n.*nothing was changed/s,
    'rows that are not there';
my @strange =
    (@{$manifest->{tables}}, {name => 'x', columns => [{name => 'y', kind => 'text'}], files => [], rows => 1});
refused packed({tables => \@strange}), qr/the database has no table x/, 'a table without a place';
is_deeply everything(), $before, 'after all that everything is as it was';

# ---- A restore, under a service that runs ----

my $carol = $roster->add_user(name => 'Carol', created_at => 4_000_000);
is $roster->get('/users/?query=Carol', $admin)->{json}{total}, 1, 'somebody new is found';
is $roster->post('/users/user/settings/update', $session, {theme => 'dark'})->{status}, 200, 'she changes something';
$roster->call(user_delete => 200, in => {user_id => $bob->{id}}, token => $admin->{token});
is $roster->get("/users/$_->[0]{id}", $admin)->{status}, $_->[1], 'who is there meanwhile'
    for [$bob, 400], [$carol, 200];
my $start = $roster->sql('SELECT CURRENT_TIMESTAMP(6)');
ends_with $roster->ctl('restore', $file, '--replace', '--yes'), 0, qr/^Restored the backup of /m,
    'the backup is restored';
is_deeply everything(), $before, 'everything is as it was, to the last byte';
is $roster->get("/users/$_->[0]{id}", $admin)->{status}, $_->[1], 'the service sees it at once'
    for [$bob, 200],
    [$carol, 400];
is $roster->get('/auths/', $session)->{status}, 200, 'the session is still valid';
is $roster->get('/users/user/settings', $session)->{json}, undef, '... and the change is gone';
is $roster->get('/auths/', $carol)->{status}, 401, 'who came later is gone';
is $roster->get("/users/?query=$_->[0]", $admin)->{json}{total}, $_->[1], 'a search, too' for ['Bob', 1], ['Carol', 0];
is $roster->sql('SELECT COUNT(*) FROM user WHERE changed_at < ?', $start), 0,
    'the directory of each worker is told who is new';
is $roster->sql('SELECT COUNT(*) FROM deleted_user WHERE id = ? AND deleted_at >= ?', $carol->{id}, $start), 1,
    '... and who is gone';
is $roster->get(picture_address($picture))->{body}, $picture, 'the picture is what it was';

# ---- A backup of an older release ----

# Before 0008, there were no passwords that must be changed.
my @older = map {
    { %$_ }
} @{$manifest->{tables}};
my ($auth) = grep { $_->{name} eq 'auth' } @older;
my %part = %{$auth->{files}[0]};
my $lines = Roster::Database::slurp("$directory/$part{file}") =~ s/,"must_change":0//gr;
$auth->{columns} = [grep { $_->{name} ne 'must_change' } @{$auth->{columns}}];
$auth->{files} = [{%part, bytes => length $lines, sha256 => Digest::SHA::sha256_hex($lines)}];
Roster::Database::write_file($bad, packed({schema => 7, tables => \@older}, $part{file} => $lines));
ends_with $roster->ctl('restore', $bad, '--replace', '--yes'), 0, qr/^Restored the backup of /m,
    'a backup of an older release';
is_deeply everything(), $before, '... gets the defaults of what is new';

# ---- One moment, though somebody writes meanwhile ----

# The pipe has room for less than the picture: nothing of the users is read until this test reads.
my $pid = IPC::Open3::open3(my $in, my $out, '>&STDERR', "$Roster::build/rosterctl", '-q', '-c', $roster->config_file,
    'backup', '-');
close $in;
binmode $out;
read $out, my ($first), 1;
$roster->call(user_delete => 200, in => {user_id => $bob->{id}}, token => $admin->{token});
my $rest = do { local $/ = undef; readline $out };
waitpid $pid, 0;
is $?, 0, 'a backup to standard output, while somebody is deleted';
Roster::Database::write_file("$directory/moment.tar", $first . $rest);
ends_with $roster->ctl('restore', "$directory/moment.tar", '--replace', '--yes'), 0, qr/Restored/,
    '... can be restored';
is_deeply everything(), $before, '... and has him whole: it is of the moment at which it began';

# ---- Stopped halfway ----

$roster->sql('LOCK TABLES session WRITE');
$pid = fork // die "fork: $!\n";
if (!$pid) {
    open STDERR, '>', "$directory/stopped.txt";
    exec "$Roster::build/rosterctl", '-c', $roster->config_file, 'backup', $file or POSIX::_exit(127);
}
ok $roster->wait_statement('FROM `session`'), 'a backup that waits';
is scalar(my @beside = glob "$file.*"), 1, '... has a file beside the old one';
kill 'TERM', $pid;
waitpid $pid, 0;
isnt $?, 0, '... and is stopped';
$roster->sql('UNLOCK TABLES');
is_deeply [glob "$file.*"], [], '... leaves nothing behind';
ends_with $roster->ctl('restore', $file, '--replace', '--dry-run'), 0, qr/is whole/, '... and the old file is whole';

# ---- As root, whose files the service's user can't read ----

SKIP: {
    skip 'only root may become another user', 6 if $> != 0;
    chmod 0755, $directory;
    mkdir "$directory/closed", 0700 or die;
    $roster->set_directives(user => 'nobody');
    is $roster->ctl('backup', "$directory/closed/backup.tar", '--with-secrets')->{status}, 0,
        'root backs up into a directory of its own, and becomes the service\'s user for MariaDB alone';
    is_deeply [(stat "$directory/closed/backup.tar")[2, 4]], [0100600, 0], '... a file of root\'s';
    ends_with $roster->ctl('restore', "$directory/closed/backup.tar", '--replace', '--yes', '--with-secrets'), 0,
        qr/Restored/, '... and restores it, with the key';
    is_deeply everything(), $before, '... everything';
    is_deeply [(stat "$directory/secret.key")[4, 5]], [0, 0], '... and the key is root\'s as before';
    is_deeply [glob "$directory/closed/*"], ["$directory/closed/backup.tar"], '... with nothing beside it';
    $roster->set_directives(user => '');
    $roster->write_configuration;
}

# ---- Into an empty database, with the key ----

$roster->stop('roster');
$roster->sql('SET foreign_key_checks = 0');
$roster->sql("DROP TABLE `$_->[0]`")
    for $roster->sql(q{SELECT table_name FROM information_schema.tables WHERE table_schema = 'roster'});
Roster::Database::write_file("$directory/secret.key", ('k' x 43) . "\n");
chmod 0640, "$directory/secret.key";
ends_with $roster->ctl('restore', "$directory/with.tar", '--directory', "$Roster::source/sql"), 0,
    qr/^the schema is at \d+\n.*^The key [0-9a-f]{8}, which signed the sessions .* as --with-secrets does\.$/ms,
    'a database without tables gets them, and what the backup has; another key is told';
is_deeply everything(), $before, '... everything';
ends_with $roster->ctl('restore', "$directory/with.tar", '--with-secrets', '--replace', '--yes'), 0,
    qr/^Restored .*secret\.key: the secret key of the backup/ms, 'the same with the key';
is_deeply everything(), $before, '... everything';
is Roster::Database::slurp("$directory/secret.key"), "$roster->{key}\n", '... and the key';
is sprintf('%04o', (stat "$directory/secret.key")[2] & 07777), '0640', '... whose file keeps its mode';
$roster->start('roster');
is $roster->get('/auths/', $session)->{status}, 200, 'the session is valid there';

done_testing;
