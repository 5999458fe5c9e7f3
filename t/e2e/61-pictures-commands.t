# rosterctl pictures: pictures in rows are moved; those that no user has are removed, with nginx's
# copies.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Pictures;

my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d'});
my $now = time;
my $admin = $roster->add_user(role => 'admin', last_active_at => $now);
my $store = "$roster->{directory}/pictures";

sub picture_of ($user) { return scalar $roster->sql('SELECT profile_image_url FROM user WHERE id = ?', $user->{id}) }

# ---- adopt ----

is_deeply $roster->ctl('pictures', 'adopt')->{out}, "Moved 0 pictures.\n", 'there is nothing to do';
my @bytes = map { png } 1 .. 450;
$roster->sql(
    'INSERT INTO user (id, email, name, profile_image_url, last_active_at, updated_at, created_at) VALUES '
        . join(', ', ('(?, ?, ?, ?, ?, ?, ?)') x @bytes),
    map { (
        "user$_", "user$_\@example.org", "User $_",
        $_ % 3 ? data_uri($bytes[$_]) : data_uri($bytes[$_], 'image/gif') =~ s/^data/DATA/r,
        1, 2, 3) } 0 .. $#bytes);
my $double = $roster->add_user(profile_image_url => data_uri($bytes[0]), last_active_at => $now);
my $svg = $roster->add_user(profile_image_url => data_uri('<svg/>', 'image/svg+xml'), last_active_at => $now);
my $plain = $roster->add_user(profile_image_url => 'https://pictures.example.org/data:x.png', last_active_at => $now);
my $result = $roster->ctl('pictures', 'adopt', '--json');
is $result->{status}, 7, 'one that can not be decoded is told by the status' or diag $result->{out};
is_deeply $result->{json}, {adopted => 451, refused => 1}, 'all are gone through, in batches';
is $roster->sql('SELECT COUNT(*) FROM user WHERE LEFT(profile_image_url, 5) = "data:"'), 0, 'none is left in a row';
is $roster->sql('SELECT COUNT(*) FROM picture'), 450, 'each is kept once';
is picture_of({id => 'user7'}), picture_address($bytes[7]), 'its address stands in the row';
is picture_of($double), picture_address($bytes[0]), '... in each that has it';
is picture_of($svg), '/user.png', 'the default one stands in for what can not be decoded';
is picture_of($plain), 'https://pictures.example.org/data:x.png', 'an address is left alone';
is $roster->sql('SELECT updated_at FROM user WHERE id = ?', 'user7'), 2, 'nobody counts as changed';
is $roster->get(picture_address($bytes[7]), $admin)->{body}, $bytes[7], 'it is served';
is_deeply $roster->ctl('pictures', 'adopt')->{status}, 0, 'again there is nothing to do';
$roster->sql('UPDATE user SET profile_image_url = ? WHERE id = ?', 'data:image/png;base64,!', $svg->{id});
$result = $roster->ctl('pictures', 'adopt');
like $result->{err}, qr/the picture of the user \Q$svg->{id}\E is not a valid PNG, JPEG, GIF or WebP/,
    'whose it was is said';
is $result->{out}, "Moved 0 pictures.\n", '... beside how many were moved';

# ---- clean ----

my $clean = sub (@options) { return $roster->ctl('pictures', 'clean', '--store', $store, @options) };
# What is new stays: it may be on its way.
$roster->sql('UPDATE user SET profile_image_url = "/user.png" WHERE id IN ("user10", "user11", "user12")');
is_deeply $clean->('--json')->{json}, {pictures => 0, files => 0}, 'what is new stays';
$roster->sql('UPDATE picture SET created_at = created_at - 7200');
is_deeply $clean->('--json')->{json}, {pictures => 3, files => 0}, 'pictures that nobody has go';
is $roster->sql('SELECT COUNT(*) FROM picture'), 447, '... and no others';

# Copies of nginx.
sub touch ($name, $age, $content = 'x') {
    my $file = "$store/pictures/$name";
    Roster::Database::write_file($file, $content);
    utime $now - $age, $now - $age, $file;
    return $file;
}
is $roster->get(picture_address($bytes[20]), $admin)->{status}, 200, 'nginx keeps one';
is $roster->get(picture_address($bytes[21]), $admin)->{status}, 200, '... and another';
my ($kept, $dropped) = map { $store . picture_address($bytes[$_]) } 20, 21;
ok wait_until(10, sub { -e $kept && -e $dropped }), '... as files';    # it does so after it has answered
utime $now - 7200, $now - 7200, $kept, $dropped;
$roster->sql('UPDATE user SET profile_image_url = "/user.png" WHERE id = "user21"');
my $unknown = touch(('ab' x 32) . '.webp', 7200);
my $other_type = touch(picture_hash($bytes[20]) . '.gif', 7200);
my $new = touch(('cd' x 32) . '.png', 600);
my @foreign = map { touch($_, 7200) } 'README', ('ab' x 32), ('AB' x 32) . '.png', ('ab' x 32) . '.png.tmp',
    ('ab' x 31) . '.png', '.' . ('ab' x 31) . 'a.png', ('ab' x 32) . '.svg';
mkdir "$store/pictures/" . ('ef' x 32) . '.png' or die;
symlink $kept, "$store/pictures/" . ('01' x 32) . '.png' or die;
utime $now - 7200, $now - 7200, "$store/pictures/" . ('ef' x 32) . '.png';
my $in_store = "$store/" . ('ab' x 32) . '.png';
Roster::Database::write_file($in_store, 'x');
utime $now - 7200, $now - 7200, $in_store;
is_deeply $clean->('--json')->{json}, {pictures => 1, files => 3}, 'copies of pictures that are not there go';
ok !-e $_, 'gone' for $dropped, $unknown, $other_type;
ok -e $_, 'a file that is none of ours stays' for @foreign, $in_store;
ok -e $kept, 'the copy of one that is there stays';
ok -e $new, 'one that is new stays';
ok -l "$store/pictures/" . ('01' x 32) . '.png', 'a link stays';
ok -d "$store/pictures/" . ('ef' x 32) . '.png', 'a directory stays';
is $roster->get(picture_address($bytes[20]), $admin)->{body}, $bytes[20], 'what is there is served';
is_problem $roster->get(picture_address($bytes[21]), $admin), 404, 'NOT_FOUND', 'what is gone is not';

# More than one batch of names.
touch(picture_hash("file$_") . '.jpeg', 7200) for 1 .. 1203;
is $clean->()->{out}, "Removed 0 pictures that no user has, and 1203 files of nginx.\n", 'many files';

# ---- What goes wrong ----

mkdir "$roster->{directory}/empty" or die;
is_deeply $roster->ctl('pictures', 'clean', '--store', "$roster->{directory}/empty", '--json')->{json},
    {pictures => 0, files => 0},
    'nginx has kept nothing yet';
$result = $roster->ctl('pictures', 'clean', '--store', "$roster->{directory}/nothing");
is $result->{status}, 1, 'a directory that is not there';
like $result->{err}, qr{/nothing: No such file}, '... is named';
symlink '/', "$roster->{directory}/empty/pictures" or die;
is $roster->ctl('pictures', 'clean', '--store', "$roster->{directory}/empty")->{status}, 1,
    'a link in place of the directory is not followed';
touch(('23' x 32) . '.png', 7200);
$roster->stop('mariadb');
is $clean->()->{status}, 5, 'without MariaDB';
ok -e "$store/pictures/" . ('23' x 32) . '.png', '... no file goes';
$roster->start('mariadb');
is $clean->()->{status}, 0, '... and it goes on when it is back';

# ---- As root, with the users of a package ----

subtest 'root goes on as the service\'s user, in the group of nginx' => sub {
    plan skip_all => 'only root can become another user' if $> != 0;
    my ($owner, $group) = ((getpwnam 'daemon')[2], scalar getgrnam 'daemon');
    my $directory = $roster->{directory};
    chmod 0755, $directory;
    chmod 0600, "$directory/secret.key", "$directory/database.password";    # root reads them
    my $file = "$directory/packaged.conf";
    Roster::Database::write_file($file, Roster::Database::slurp($roster->config_file) =~ s/^user =.*\K$/ nobody/mr);
    my $outer = "$directory/packaged";
    mkdir $_ or die for $outer, "$outer/pictures";
    chown $owner, $group, $outer, "$outer/pictures";
    chmod 0750, $outer;
    my $orphan = sub ($mode) {
        chmod $mode, "$outer/pictures";
        my $copy = "$outer/pictures/" . ('45' x 32) . '.png';
        Roster::Database::write_file($copy, 'x');
        chown $owner, $group, $copy;
        chmod 0640, $copy;
        utime $now - 7200, $now - 7200, $copy;
        my ($status, $text) = $roster->run_program('rosterctl', '-c', $file, 'pictures', 'clean', '--store', $outer);
        return ($status >> 8, $text, -e $copy ? 1 : 0);
    };
    my ($status, $text, $is_there) = $orphan->(0770);
    is $status, 0, 'it is done' or diag $text;
    is $is_there, 0, 'and the copy is gone';
    # Not as root, to whom modes mean nothing.
    ($status, $text, $is_there) = $orphan->(0750);
    is $status, 1, 'where the group may not write, it says so';
    like $text, qr/\.png can't be removed: Permission denied/, 'with the reason';
    is $is_there, 1, 'and the copy stays';
};

# ---- Meanwhile people change their pictures ----

subtest 'nobody loses a picture while cleaning goes on' => sub {
    my @users = map { $roster->add_user(last_active_at => $now) } 1 .. 4;
    my @few = map { png } 1 .. 3;
    my $end = time + 4;
    my @pids = map {
        my $user = $_;
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my $failed = 0;
            my $i = $$;
            while (time < $end) {
                my $bytes = $few[$i++ % @few];
                my $answer =
                    $roster->post('/auths/update/profile', $user, {name => 'x', profile_image_url => data_uri($bytes)});
                $failed++ if $answer->{status} != 200;
            }
            POSIX::_exit($failed ? 1 : 0);
        }
        $pid;
    } @users;
    my $lost = 0;
    while (time < $end) {
        # All pictures are old, so that whatever nobody has may go.
        $roster->sql('UPDATE picture SET created_at = 0');
        $clean->();
        $lost += $roster->sql('SELECT COUNT(*) FROM user u WHERE u.profile_image_url LIKE "/pictures/%" AND NOT EXISTS '
                . '(SELECT 1 FROM picture p WHERE u.profile_image_url = CONCAT("/pictures/", p.hash, ".", p.type))');
    }
    my $failed = 0;
    for (@pids) { waitpid $_, 0; $failed++ if $? }
    is $failed, 0, 'all changes are done';
    is $lost, 0, 'and each picture that somebody has is there';
};

done_testing;
