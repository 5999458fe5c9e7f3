# rosterctl pictures: pictures that lie in rows are brought over; those that nobody has any more go, with nginx's copies.
use v5.36;
use utf8;

use Test::More;
use Roster;

my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d'});
my $json = JSON::PP->new->utf8;
my $now = time;
my $admin = $roster->add_user(role => 'admin', last_active_at => $now);
my $store = "$roster->{directory}/pictures";

my $count = 0;
sub png () { return "\x89PNG\r\n\x1a\n" . pack('NA4NNC5N', 13, 'IHDR', 20, 10, 8, 6, 0, 0, 0, 0) . ++$count }
sub uri ($bytes, $head = 'data:image/png;base64') { return "$head," . MIME::Base64::encode_base64($bytes, '') }
sub hash ($bytes) { return Digest::SHA::sha256_hex($bytes) }
sub address ($bytes) { return '/pictures/' . hash($bytes) . '.png' }
sub picture_of ($user) { return scalar $roster->sql('SELECT profile_image_url FROM user WHERE id = ?', $user->{id}) }
sub get ($path) { return $roster->request(GET => $path, token => $admin->{token}) }

sub ctl (@arguments) {
    my ($status, $out) = $roster->rosterctl('pictures', @arguments);
    return {status => $status >> 8, out => $out, json => scalar eval { $json->decode($out) }};
}

# ---- adopt -------------------------------------------------------------------------------------------------------------------------------

is_deeply ctl('adopt')->{out}, "Brought over 0 pictures.\n", 'there is nothing to do';
my @bytes = map { png } 1 .. 450;
$roster->sql(
    'INSERT INTO user (id, email, name, profile_image_url, last_active_at, updated_at, created_at) VALUES ' . join(', ', ('(?, ?, ?, ?, ?, ?, ?)') x @bytes),
    map { ("user$_", "user$_\@example.org", "User $_", uri($bytes[$_], $_ % 3 ? 'data:image/png;base64' : 'DATA:image/gif;base64'), 1, 2, 3) } 0 .. $#bytes);
my $double = $roster->add_user(profile_image_url => uri($bytes[0]), last_active_at => $now);
my $svg = $roster->add_user(profile_image_url => uri('<svg/>', 'data:image/svg+xml;base64'), last_active_at => $now);
my $plain = $roster->add_user(profile_image_url => 'https://pictures.example.org/data:x.png', last_active_at => $now);
my $result = ctl('adopt', '--json');
is $result->{status}, 7, 'one that can not be decoded is told by the status' or diag $result->{out};
is_deeply $result->{json}, {adopted => 451, refused => 1}, 'all are gone through, in batches';
is $roster->sql('SELECT COUNT(*) FROM user WHERE LEFT(profile_image_url, 5) = "data:"'), 0, 'none is left in a row';
is $roster->sql('SELECT COUNT(*) FROM picture'), 450, 'each is kept once';
is picture_of({id => 'user7'}), address($bytes[7]), 'its address stands in the row';
is picture_of($double), address($bytes[0]), '... in each that has it';
is picture_of($svg), '/user.png', 'the default one stands in for what can not be decoded';
is picture_of($plain), 'https://pictures.example.org/data:x.png', 'an address is left alone';
is $roster->sql('SELECT updated_at FROM user WHERE id = ?', 'user7'), 2, 'nobody counts as changed';
is get(address($bytes[7]))->{body}, $bytes[7], 'it is served';
is_deeply ctl('adopt')->{status}, 0, 'again there is nothing to do';
$roster->sql('UPDATE user SET profile_image_url = ? WHERE id = ?', 'data:image/png;base64,!', $svg->{id});
like ctl('adopt')->{out}, qr/the picture of the user \Q$svg->{id}\E is no PNG, JPEG, GIF or WebP.*\nBrought over 0 pictures\.$/m, 'whose it was is said';

# ---- clean -------------------------------------------------------------------------------------------------------------------------------

my $clean = sub (@options) { return ctl('clean', '--store', $store, @options) };
# What is young stays: it may be on its way.
$roster->sql('UPDATE user SET profile_image_url = "/user.png" WHERE id IN ("user10", "user11", "user12")');
is_deeply $clean->('--json')->{json}, {pictures => 0, files => 0}, 'what is young stays';
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
is get(address($bytes[20]))->{status}, 200, 'nginx keeps one';
is get(address($bytes[21]))->{status}, 200, '... and another';
my ($kept, $dropped) = map { "$store" . address($bytes[$_]) } 20, 21;
ok wait_until(10, sub { -e $kept && -e $dropped }), '... as files';    # it does so after it has answered
utime $now - 7200, $now - 7200, $kept, $dropped;
$roster->sql('UPDATE user SET profile_image_url = "/user.png" WHERE id = "user21"');
my $unknown = touch(('ab' x 32) . '.webp', 7200);
my $other_type = touch(hash($bytes[20]) . '.gif', 7200);
my $young = touch(('cd' x 32) . '.png', 600);
my @foreign = map { touch($_, 7200) } 'README', ('ab' x 32), ('AB' x 32) . '.png', ('ab' x 32) . '.png.tmp', ('ab' x 31) . '.png', '.' . ('ab' x 31) . 'a.png', ('ab' x 32) . '.svg';
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
ok -e $young, 'one that is young stays';
ok -l "$store/pictures/" . ('01' x 32) . '.png', 'a link stays';
ok -d "$store/pictures/" . ('ef' x 32) . '.png', 'a directory stays';
is get(address($bytes[20]))->{body}, $bytes[20], 'what is there is served';
is_problem get(address($bytes[21])), 404, 'NOT_FOUND', 'what is gone is not';

# More than one batch of names.
touch(hash("file$_") . '.jpeg', 7200) for 1 .. 1203;
is $clean->()->{out}, "Removed 0 pictures that nobody has any more, and 1203 files of nginx.\n", 'many files';

# ---- What goes wrong ---------------------------------------------------------------------------------------------------------------------

mkdir "$roster->{directory}/empty" or die;
is_deeply ctl('clean', '--store', "$roster->{directory}/empty", '--json')->{json}, {pictures => 0, files => 0}, 'nginx has kept nothing yet';
$result = ctl('clean', '--store', "$roster->{directory}/nothing");
is $result->{status}, 1, 'a directory that is not there';
like $result->{out}, qr{/nothing: No such file}, '... is named';
symlink '/', "$roster->{directory}/empty/pictures" or die;
is ctl('clean', '--store', "$roster->{directory}/empty")->{status}, 1, 'a link in place of the directory is not followed';
touch(('23' x 32) . '.png', 7200);
$roster->stop('mariadb');
is $clean->()->{status}, 5, 'without MariaDB';
ok -e "$store/pictures/" . ('23' x 32) . '.png', '... no file goes';
$roster->start('mariadb');
is $clean->()->{status}, 0, '... and it goes on when it is back';

# ---- Meanwhile people change their pictures ----------------------------------------------------------------------------------------------

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
                my $answer = $roster->request(POST => '/auths/update/profile', token => $user->{token}, json => {name => 'x', profile_image_url => uri($bytes)});
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
