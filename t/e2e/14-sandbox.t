# The sandbox of each process (src/tables/sandbox.def; the lists themselves: t/unit/test_sandbox.c): each is in one, does
# its work in it, and is ended, by name, where it does what it must not. A library that is loaded before all others lets
# a worker misbehave.
use v5.36;

use Test::More;

use Roster;

# Does what a worker never does, where there is a file of the name CALL.PROCESS.
my $MISBEHAVE = <<'C';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

static int is_told(const char *what)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s.%ld", getenv("MISBEHAVE"), what, (long)getpid());
    return access(path, F_OK) == 0;
}

int accept(int listening, struct sockaddr *address, socklen_t *length)
{
    char *arguments[] = {"true", NULL};
    if (is_told("execve")) {
        execve("/bin/true", arguments, arguments + 1);
    }
    if (is_told("ptrace")) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    }
    if (is_told("socket")) {
        socket(AF_INET, SOCK_STREAM, 0);
    }
    int (*real)(int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "accept");
    return real(listening, address, length);
}
C

sub status_of ($pid) {
    return {map { /^(\w+):\s*(.*)/ ? ($1 => $2) : () } split /\n/, Roster::Database::slurp("/proc/$pid/status")};
}

sub directory_of ($roster) { return $roster->directory . '/misbehave' }

my $roster = Roster->new(start => 0, config => {identity_cache => '5s'});
my $directory = directory_of($roster);
mkdir $directory or die "$directory: $!\n";
chmod 0755, $directory;
Roster::Database::write_file("$directory/misbehave.c", $MISBEHAVE);
my @compiler = split ' ', $ENV{CC} // 'cc';
my $can_misbehave =
    system(@compiler, qw(-shared -fPIC -o), "$directory/misbehave.so", "$directory/misbehave.c", '-ldl') == 0;
$roster->{options}{environment} = {MISBEHAVE => $directory, LD_PRELOAD => "$directory/misbehave.so"}
    if $can_misbehave && !$ENV{ROSTER_TEST_VALGRIND};
$roster->start;
my $log = $roster->log_text;
if ($log =~ /there is no sandbox/) {
    $roster->finish;
    plan skip_all => 'a sanitizer or valgrind leaves no sandbox';
}
if ($log =~ /the sandbox is not complete: (.*)/) {
    $roster->finish;
    plan skip_all => "this kernel: $1";
}

# ---- Each process is in one ----

my $master = $roster->process('roster')->pid;
ok wait_until(20, sub { $roster->watcher && $roster->housekeeper }), 'watcher and housekeeper run';
my %processes = (
    watcher => $roster->watcher,
    housekeeper => $roster->housekeeper,
    map { ("worker of $_" => ($roster->workers($_))[0]) } @Roster::POOLS);
for my $name (sort keys %processes) {
    ok $processes{$name}, "the $name runs" or next;
    my $status = status_of($processes{$name});
    note "$name: Seccomp $status->{Seccomp}, NoNewPrivs $status->{NoNewPrivs}, CapEff $status->{CapEff}";
    is $status->{Seccomp}, 2, '... its system calls are filtered';
    is $status->{NoNewPrivs}, 1, '... it gains no privileges';
    like $status->{$_}, qr/^0+$/, "... it has no capabilities ($_)" for qw(CapEff CapPrm CapInh CapAmb);
}
my $status = status_of($master);
note "master: Seccomp $status->{Seccomp}, NoNewPrivs $status->{NoNewPrivs}, CapEff $status->{CapEff}";
is $status->{Seccomp}, 2, 'the master has a filter, too';
is $status->{NoNewPrivs}, 1, '... and gains nothing, as it executes no program';

# ---- It does its work there ----

my $admin = $roster->add_user(role => 'admin');
is $roster->get('/users/', $admin)->{status}, 200, 'lists are read';
is $roster->sign_in($admin)->{status}, 200, 'passwords are hashed';
is $roster->get('/status')->{status}, 200, 'the status is told';
my $access_log = $roster->directory . '/log/roster-access.log';
rename $access_log, "$access_log.1" or die "$access_log: $!\n";
$roster->process('roster')->signal('USR1');
ok wait_until(20, sub { $roster->get("/users/$admin->{id}", $admin); -s $access_log }), 'logs are rotated';
$roster->stop('mariadb');
$roster->start('mariadb');
ok wait_until(20, sub { $roster->get('/users/', $admin)->{status} == 200 }), 'MariaDB may come back';
is $roster->reload, '', 'a configuration is reloaded';
my ($listed) = $roster->rosterctl('user', 'list');
is $listed, 0, 'rosterctl is in none';

# ---- What it must not do ends it ----

SKIP: {
    skip 'there is no compiler', 9 if !$can_misbehave;
    for my $call (qw(execve ptrace socket)) {
        my %before = map { ($_ => 1) } $roster->workers;
        my ($worker) = $roster->workers('api');
        my $said =
            qr/worker $worker of pool api was killed by the kernel: it called $call, which its sandbox does not allow/;
        $roster->allow_log($said);
        Roster::Database::write_file("$directory/$call.$worker", '');
        my $is_said = sub {
            $roster->get("/users/$admin->{id}", $admin);
            return $roster->log_text =~ /\[alert\] .*$said/;
        };
        ok wait_until(20, $is_said), "$call: the worker is killed, and the log says for what";
        my $new = sub {
            grep { !$before{$_} } $roster->workers;
        };
        ok wait_until(20, $new), '... another one takes its place';
        ok wait_until(20, sub { $roster->get("/users/$admin->{id}", $admin)->{status} == 200 }), '... and answers';
    }
}
$roster->finish;

# ---- None ----

my $open = Roster->new(config => {sandbox => 'no'});
is status_of(($open->workers('api'))[0])->{Seccomp}, 0, 'sandbox = no: there is none';
like $open->log_text, qr/\[notice\] .*there is no sandbox: sandbox = no in /, '... and the log says so';
$open->finish;

done_testing;
