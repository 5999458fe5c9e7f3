# Each route that changes something tells the audit, or says why not. That it does is for t/e2e/66-audit.t.
use v5.36;

use Test::More;
use Roster::Tables;

my (%audited, %unaudited);
$audited{$_->{route}}{$_->{action}}++ for Roster::Tables::records('tables/routes.def', 'ROUTE_AUDIT');
$unaudited{$_->{route}} = $_->{why} for Roster::Tables::records('tables/routes.def', 'ROUTE_UNAUDITED');
my @routes = Roster::Tables::records('tables/routes.def', 'ROUTE');
cmp_ok scalar @routes, '>', 60, 'there are routes';
for my $route (@routes) {
    my $name = $route->{name};
    ok !($audited{$name} && $unaudited{$name}), "$name is in the audit, or not";
    next if $route->{method} eq 'GET';
    ok $audited{$name} || $unaudited{$name}, "$name tells the audit, or says why not";
    like $unaudited{$name}, qr/^[A-Z].*\.$/, '... in a sentence' if $unaudited{$name};
}
is_deeply [
    map {
        my $route = $_;
        map { "$route $_" } grep { $audited{$route}{$_} > 1 } keys %{$audited{$route}}
        }
        sort keys %audited
    ],
    [],
    'no row is there twice';

my @actions = Roster::Tables::records('tables/audit.def', 'AUDIT_ACTION');
for my $action (@actions) {
    cmp_ok length $action->{name}, '<=', 32, "$action->{name} fits into its column";
    like $action->{text}, qr/^[A-Z].*\.$/, '... and is told in a sentence';
    like $action->{object}, qr/^(?:GROUP|SESSION|KEY|NONE)$/, '... with what it is about';
}
done_testing;
