# Roster::Browser: tests in a real browser: Debian's Chromium without a window, driven by playwright-core.
#
#   plan skip_all => Roster::Browser::lacks() if Roster::Browser::lacks();
#   my $roster = Roster->new(tcp => 1);
#   Roster::Browser::run($roster, 'account', ada => $roster->add_user(name => 'Ada'));
#
# That runs t/browser/account.mjs, which finds url and ada in `facts' of t/browser/browser.mjs. Each check that it prints
# is one of the Perl test. Its screenshots are in the build directory, in t/browser/screenshots/.
package Roster::Browser;
use v5.36;

use File::Path ();
use JSON::PP ();
use Test::More ();

use Roster::Process;

my $json = JSON::PP->new->utf8->allow_nonref->canonical;

sub tools () { return ($ENV{ROSTER_TOOLS} // "$Roster::source/run/check/tools") . '/browser/node_modules' }

sub chromium () {
    my ($found) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};
    return $found;
}

# Why there can be no such tests here; undef: there can.
sub lacks () {
    return 'there is no Chromium: apt install chromium' if !chromium();
    return 'there is no node: apt install nodejs' if !grep { -x "$_/node" } split /:/, $ENV{PATH};
    return 'there is no playwright-core: t/get-tools gets it, and ROSTER_TOOLS names it'
        if !-d tools() . '/playwright-core';
    return undef;
}

# Runs a script, and calls take with each line that it prints. Answers whether it ran to its end.
sub script ($roster, $path, $take, %facts) {
    my $screenshots = "$Roster::build/t/browser/screenshots";
    File::Path::make_path($screenshots);
    # What Chromium keeps for itself goes with the stack.
    mkdir my $home = $roster->directory . '/browser';
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        delete @ENV{grep { /_proxy$/i } keys %ENV};
        @ENV{qw(HOME TMPDIR)} = ($home, $home);
        $ENV{ROSTER_FACTS} = $json->encode({
            url => $roster->url,
            screenshots => $screenshots,
            tools => tools(),
            chromium => chromium(),
            patience => $Roster::Process::patience,
            %facts
        });
        open STDERR, '>', "$home/stderr";
        open STDIN, '<', '/dev/null';
        exec 'node', $path or die "node: $!\n";
    }
    while (my $line = readline $out) {
        chomp $line;
        $take->($line);
    }
    close $out;
    my $good = $? == 0;
    Test::More::diag(Roster::Database::slurp("$home/stderr")) if !$good;
    return $good;
}

# Runs a script of t/browser, and takes over its checks.
sub run ($roster, $script, %facts) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $count = 0;
    my $take = sub ($line) {
        return Test::More::diag($line) if $line !~ /^(not )?ok - (.*)/;
        $count++;
        Test::More::ok(!$1, $2);
    };
    my $good = script($roster, "$Roster::source/t/browser/$script.mjs", $take, %facts);
    Test::More::ok($good && $count > 0, "$script.mjs ran to its end");
    return;
}

1;
