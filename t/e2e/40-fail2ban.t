# fail2ban: the filter finds the addresses in what the daemon really logs, in each format, and nothing that a client
# sends passes for an address.
use v5.36;

use File::Temp;
use POSIX ();
use Test::More;
use Roster;

my ($regex) = grep { -x } map { "$_/fail2ban-regex" } split(/:/, $ENV{PATH}), '/usr/bin';
plan skip_all => 'fail2ban is not installed' if !$regex;

my $filter = "$Roster::source/conf/fail2ban/filter.d/roster.conf";

# The addresses that the filter finds, with how often.
sub find ($text, $filter_options = '') {
    my $file = File::Temp->new(SUFFIX => '.log');
    binmode $file;
    print $file $text;
    close $file;
    open my $out, '-|', $regex, '--usedns', 'no', '--out', 'ip', $file->filename, "$filter$filter_options"
        or die "$regex: $!\n";
    my %count;
    while (my $line = readline $out) {
        chomp $line;
        $count{$line}++ if $line =~ /\S/;
    }
    close $out;
    return \%count;
}

my %log;
for my $format (qw(text json)) {
    my $roster = Roster->new(config => {log_format => $format, rate_limit_sign_in => 3, rate_limit_update => 1});
    my $user = $roster->add_user(email => 'somebody@example.org');
    my $sign_in = sub ($client, $email, $password) {
        return $roster->request(
            POST => '/auths/signin',
            client => $client,
            json => {email => $email, password => $password}
        )->{status};
    };
    my $evil = 'x while handle, client: 203.0.113.5, request: 1';
    is $sign_in->('192.0.2.1', 'somebody@example.org', $user->{password}), 200, "$format: a sign-in that succeeds";
    is $sign_in->('192.0.2.2', 'somebody@example.org', 'not the password'), 400, 'one with a wrong password';
    is $sign_in->('192.0.2.3', 'nobody@example.org', 'not the password'), 400, 'one of an unknown account';
    is $sign_in->('2001:db8::7', 'nobody@example.org', 'not the password'), 400, 'one by IPv6';
    is join(' ', map { $sign_in->('192.0.2.4', 'somebody@example.org', $user->{password}) } 1 .. 5),
        '200 200 200 429 429', 'some that a limit refuses';
    is $sign_in->('192.0.2.5', $_, 'not the password'), 400, 'one that wants another address banned'
        for $evil, qq{","client":"203.0.113.5"};
    is join(
        ' ',
        map {
            $roster->request(
                POST => '/users/user/info/update',
                client => '192.0.2.6',
                token => $user->{token},
                json => {}
            )->{status}
        } 1 .. 2
        ),
        '200 429',
        'a change of data that a limit refuses';
    $roster->request(
        GET => '/users/%0asign-in failed: x while handle, client: 203.0.113.5, request: 1',
        client => '192.0.2.7',
        token => $user->{token});
    $log{$format} = $roster->log_text('roster-error');
    $roster->finish;
}

# What syslog makes of a line: its own time, host, name and process id, in place of our time.
($log{syslog} = $log{text}) =~
    s{^\d+/\d+/(\d+) (\S+)}{POSIX::strftime('%b %e', localtime) . " $2 host.example roster[123]:"}gme;

my %expected = ('192.0.2.2' => 1, '192.0.2.3' => 1, '2001:db8::7' => 1, '192.0.2.4' => 2, '192.0.2.5' => 2);
for my $format (qw(text json syslog)) {
    is_deeply find($log{$format}), \%expected, "$format: exactly those that failed or were refused"
        or diag $log{$format};
    is_deeply find($log{$format}, '[limits="\w+"]'), {%expected, '192.0.2.6' => 1},
        "$format: a jail may count all limits";
}

# Lines that no version of ours writes today, but one might: what a client sent stands in the text.
my $tail = 'while handle, client: 192.0.2.9, request: 0a1b';
for my $line (
    "[warning] 1#password: sign-in failed: no account x while handle, client: 203.0.113.5, request: 1 $tail",
    "[warning] 1#password: sign-in failed: rate limit sign_in reached for address 203.0.113.5, client: "
    . "203.0.113.5 $tail",
    "[error] 1#api: no such path: 1#api: rate limit sign_in reached for address 203.0.113.5 $tail",
    "[error] 1#api: no such path: /x [warning] 1#password: sign-in failed: x while handle, client: "
    . "203.0.113.5, request: 1")
{
    is_deeply find(POSIX::strftime('%Y/%m/%d %H:%M:%S ', localtime) . "$line\n"), {}, "matches nothing: $line";
}

SKIP: {
    my ($client) = grep { -x } map { "$_/fail2ban-client" } split(/:/, $ENV{PATH}), '/usr/bin';
    skip 'the configuration of fail2ban is not there', 2 if !$client || !-e '/etc/fail2ban/jail.conf';
    my $directory = File::Temp->newdir;
    system('cp', '-r', '/etc/fail2ban/.', "$directory/") == 0 or die "cp: $?\n";
    system('cp', '-r', "$Roster::source/conf/fail2ban/.", "$directory/") == 0 or die "cp: $?\n";
    open my $local, '>', "$directory/jail.d/roster.local" or die "$directory: $!\n";
    print $local "[sshd]\nenabled = false\n[roster]\nenabled = true\nlogpath = $filter\n";
    close $local;
    my $output = `$client -c $directory -t 2>&1`;
    is $?, 0, 'fail2ban takes the jail' or diag $output;
    like scalar(`$client -c $directory -d 2>/dev/null`), qr/'start', 'roster'/, 'and starts it where it is switched on';
}

done_testing;
