# A full disk of MariaDB's: who needs room gets 503, everybody else is served, /ready and the log say so, and it is over
# by itself. The disk is a small file system in memory, where that can be mounted (root). What MariaDB says then is said
# by a trigger: InnoDB has been seen to end itself when it rolls a picture back on a disk that is really full.
use v5.36;

use Test::More;
use Roster;
use Roster::Pictures;
use Time::HiRes ();

# A PNG of about this size, each another one.
sub picture ($size) {
    my $bytes = png(width => 10, more => Roster::random_bytes(16) . 'x' x $size);
    return ($bytes, data_uri($bytes));
}

my $roster = Roster->new(
    config => {last_active_interval => '1d', database_read_timeout => '10s'},
    api => {workers => 3},
    start => 0);
my $is_small = $roster->mount("$roster->{directory}/mariadb", '160m');
$roster->start;
my $admin = $roster->add_user(role => 'admin', last_active_at => time);
my $user = $roster->add_user(last_active_at => time);
my @workers = $roster->workers;

sub put_picture ($uri) {
    return $roster->post('/auths/update/profile', $user, {name => 'x', profile_image_url => $uri});
}

is $roster->get('/ready')->{status}, 200, 'ready at first';
is put_picture(+(picture(100_000))[1])->{status}, 200, 'a picture is taken';

my @errors = (
    [1114, q{The table ''picture'' is full}],
    [1030, 'Got error 28 "No space left on device" from storage engine InnoDB'],
    [1026, 'Error writing file ./x (errno: 28 "No space left on device")']);

for my $error (@errors) {
    my ($code, $message) = @$error;
    $roster->sql("CREATE TRIGGER full BEFORE INSERT ON picture FOR EACH ROW SIGNAL SQLSTATE 'HY000' "
            . "SET MYSQL_ERRNO = $code, MESSAGE_TEXT = '$message'");
    my $answer = put_picture(+(picture(1000))[1]);
    is_problem $answer, 503, 'UNAVAILABLE', "error $code";
    like $answer->{headers}{'retry-after'} // '', qr/^[1-9]\d?$/, "$code: with Retry-After";
    is_problem $roster->get('/ready'), 503, 'UNAVAILABLE', "$code: /ready";
    $roster->sql('DROP TRIGGER full');
    ok wait_until(15, sub { $roster->get('/ready')->{status} == 200 }), "$code: it is over by itself";
}

subtest 'the disk of MariaDB is full' => sub {
    my $before = $roster->count_log(qr/MariaDB's disk is full/);
    $roster->sql(q{CREATE TRIGGER full BEFORE INSERT ON picture FOR EACH ROW SIGNAL SQLSTATE 'HY000' }
            . q{SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'});
    $roster->fill("$roster->{directory}/mariadb", 1 << 20) if $is_small;
    my $answer;
    my @statuses = map { $answer = put_picture(+(picture(1000))[1]); $answer->{status} } 1 .. 8;
    is_problem $answer, 503, 'UNAVAILABLE', 'what needs room';
    like $answer->{headers}{'retry-after'} // '', qr/^[1-9]\d?$/, 'with Retry-After';
    is_deeply [grep { $_ != 503 } @statuses], [], 'each time';
    is_problem $roster->get('/ready'), 503, 'UNAVAILABLE', '/ready';
    like $roster->get('/ready')->{json}{detail}, qr/disk is full/, 'with the reason';
    for my $pid ($roster->workers('api')) {
        is_problem $roster->on_worker('api', $pid, sub { $roster->get('/ready') }), 503, 'UNAVAILABLE',
            'whichever worker is asked';
    }
    is $roster->get('/users/user/status', $user)->{status}, 200, 'who reads is served';
    is $roster->status->{mariadb}, 'full', '/status says it';
    my ($status, $output) = $roster->rosterctl('doctor');
    like $output, qr/^error +service +.*disk is full/m, 'doctor, too' or diag $output;
    like $roster->log_text,
        qr/\[error\].*MariaDB's disk is full \(error \d+: .*\): free space on the disk of its data directory/,
        'and the log, with what to do';
    is $roster->count_log(qr/MariaDB's disk is full/) - $before, 1, 'once a minute';
    unlike $roster->log_text, qr/MariaDB refused with error/, 'never 500';

    if ($is_small) {
        Time::HiRes::sleep(6);
        is_problem $roster->get('/ready'), 503, 'UNAVAILABLE', '/ready stays so as long as it lasts';
        unlink "$roster->{directory}/mariadb/filler" or die;
    }
    $roster->sql('DROP TRIGGER full');
    ok wait_until(15, sub { $roster->get('/ready')->{status} == 200 }), 'and is well again by itself';
    like $roster->log_text, qr/\[notice\].*MariaDB has free disk space again/, 'the log says so';
    my ($bytes, $uri) = picture(1_400_000);
    is put_picture($uri)->{status}, 200, 'pictures are taken again';
    my $address = $roster->sql('SELECT profile_image_url FROM user WHERE id = ?', $user->{id});
    is $roster->get($address)->{body}, $bytes, 'whole';
    is $roster->sql('SELECT COUNT(*) FROM picture WHERE LENGTH(bytes) <> size'), 0, 'and none is half there';
    is $roster->status->{mariadb}, 'present', '/status says it';
};
is join(' ', $roster->workers), "@workers", 'the workers are the same';

# ---- A server that takes less at once ----

subtest 'a picture larger than max_allowed_packet' => sub {
    $roster->sql('SET GLOBAL max_allowed_packet = 1048576');
    $roster->restart('roster');
    my $answer = put_picture(+(picture(1_500_000))[1]);
    is_problem $answer, 400, 'INVALID_IMAGE', 'is refused';
    like $answer->{json}{detail}, qr/larger than the 1032192 bytes/, 'with the size that fits';
    my ($bytes, $uri) = picture(1_000_000);
    is put_picture($uri)->{status}, 200, 'a smaller one is taken';
    is $roster->get(scalar $roster->sql('SELECT profile_image_url FROM user WHERE id = ?', $user->{id}))->{body},
        $bytes, 'and served';
};

subtest 'where nginx keeps pictures' => sub {
    my $stack = Roster->new(start => 0);
    my $store = "$stack->{directory}/pictures";
    plan skip_all => 'file systems can not be mounted here' if !$stack->mount($store, '2m');
    mkdir "$store/$_" or die "$store/$_: $!\n" for qw(pictures temporary);
    $stack->start;
    my $owner = $stack->add_user;
    my ($bytes, $uri) = picture(300_000);
    my $put = $stack->post('/auths/update/profile', $owner, {name => 'x', profile_image_url => $uri});
    my $address = $put->{json}{profile_image_url};
    for my $left (0, 100_000, 1_500_000) {
        $stack->fill($store, $left);
        my $answer = $stack->get($address);
        is_deeply [@{$answer // {}}{qw(status body)}], [200, $bytes], "the picture comes with $left bytes left";
        is $stack->request(HEAD => $address)->{status}, 200, 'HEAD, too';
        ok !-e "$store$address", 'and is not kept';
    }
    ok $stack->wait_log(qr/\[warning\].*there is not enough space to store pictures in \Q$store\E/), 'the log says so';
    is $stack->get('/pictures/' . '0' x 64 . '.png')->{status}, 404, 'one that is not there is not';
    system('mount', '-o', 'remount,size=96m', $store) == 0 or die "mount: $?\n";
    is $stack->get($address)->{body}, $bytes, 'with room';
    ok wait_until(10, sub { -s "$store$address" }), 'it is kept';
    ok $stack->wait_log(qr/\[notice\].*there is enough space again/), 'which the log says';
    is $stack->get($address)->{body}, $bytes, 'and comes from there';
    $stack->finish;
};

done_testing;
